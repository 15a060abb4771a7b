import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { JobTimer } from '../../../gateway/control/job-timer.ts';
import { QinlingError, notFound } from '../../../gateway/errors.ts';
import { JobStatus, type JobRecord } from '../../../gateway/store/job-store.ts';
import type { Store } from '../../../gateway/store/store.ts';
import { collect } from '../../support/collect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeExecutions } from '../../support/fake-executions.ts';
import { jobRecord } from '../../support/store-records.ts';
import { openThrowAwayStore } from '../../support/throw-away-store.ts';

const NOW = Date.UTC(2026, 0, 15, 10, 20, 30);
const SECOND = 1_000;
const MINUTE = 60_000;

test('a job runs at its time, not before, and within a second', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  const job = jobRecord({ nextExecutionAt: NOW + 90 * SECOND, functionInput: '{"a": 1}', functionVersion: 2 });
  await store.jobs.insert(job);
  start();

  await clock.moveTo(job.nextExecutionAt - 1);
  assert.equal(executions.asked.length, 0);
  await clock.moveTo(job.nextExecutionAt);
  await clock.asleep();

  const { access, request } = executions.only;
  const { write: _, ...asked } = request;
  assert.deepEqual(asked, {
    functionId: 'a-function',
    functionAlias: undefined,
    functionVersion: 2,
    input: '{"a": 1}',
    isSync: false,
    description: `Created by Job ${job.id}`,
  });
  assert.deepEqual([access.projectId, access.isAdmin, access.scope], ['default', false, null]);
  const recorded = await collect(store.executions.list({ scope: 'default', filters: [], limit: 9 }));
  assert.deepEqual(
    recorded.map(({ description }) => description),
    [`Created by Job ${job.id}`],
  );
  const done = (await store.jobs.get(job.id, null))!;
  assert.deepEqual([done.status, done.count, done.nextExecutionAt], [JobStatus.Done, 0, job.nextExecutionAt]);
});

test('an alias is named to the execution, to be looked up in the project of the job', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  const name = { functionId: null, functionAlias: 'live', projectId: 'theirs' };
  await store.jobs.insert(jobRecord({ ...name, nextExecutionAt: NOW }));

  start();
  await clock.moveTo(NOW);
  await clock.asleep();

  const { access, request } = executions.only;
  assert.deepEqual([request.functionId, request.functionAlias], [undefined, 'live']);
  assert.deepEqual([access.projectId, access.scope], ['theirs', 'theirs']);
});

test('a recurring job runs at each match until its count is used up', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  const job = jobRecord({ pattern: '* * * * *', count: 3, nextExecutionAt: NOW + 30 * SECOND });
  await store.jobs.insert(job);
  start();

  const counts: number[] = [];
  for (let minute = 0; minute < 5; minute++) {
    await clock.moveTo(NOW + 30 * SECOND + minute * MINUTE);
    await clock.asleep();
    counts.push(executions.asked.length);
  }

  assert.deepEqual(counts, [1, 2, 3, 3, 3]);
  assert.equal((await store.jobs.get(job.id, null))!.status, JobStatus.Done);
});

test('times that were missed are made up for by one run', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  const job = jobRecord({ pattern: '* * * * *', count: null, nextExecutionAt: NOW - 600 * MINUTE });
  await store.jobs.insert(job);

  start(); // a start after ten hours
  await clock.moveTo(NOW);
  await clock.asleep();
  assert.equal(executions.asked.length, 1);
  assert.equal((await store.jobs.get(job.id, null))!.nextExecutionAt, NOW + 30 * SECOND);

  clock.jumpTo(NOW + 600 * MINUTE); // a machine that slept
  await clock.moveTo(NOW + 600 * MINUTE);
  await clock.asleep();
  assert.equal(executions.asked.length, 2);
  assert.equal((await store.jobs.get(job.id, null))!.nextExecutionAt, NOW + 600 * MINUTE + 30 * SECOND);
});

test('a job that comes while the timer sleeps, also by another gateway, runs within a second of its time', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  start();
  await clock.moveTo(NOW + 10 * MINUTE + 1);

  await store.jobs.insert(jobRecord({ nextExecutionAt: NOW + 10 * MINUTE }));
  await clock.moveTo(NOW + 10 * MINUTE + SECOND);
  await clock.asleep();

  assert.equal(executions.asked.length, 1);
});

test('a timer that is woken looks at once', async (t) => {
  const { store, clock, executions, timer, start } = await openTimer(t);
  start();
  await clock.moveTo(NOW + 1);
  await store.jobs.insert(jobRecord({ nextExecutionAt: NOW + 1 }));

  timer.wake();
  await clock.moveTo(NOW + 1);
  await clock.asleep();

  assert.equal(executions.asked.length, 1);
});

test('more jobs than a batch that are due together all run', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  const jobs = Array.from({ length: 250 }, () => jobRecord({ nextExecutionAt: NOW }));
  await Promise.all(jobs.map((job) => store.jobs.insert(job)));

  start();
  await clock.moveTo(NOW);
  await clock.asleep();

  const described = executions.asked.map(({ request }) => request.description);
  assert.deepEqual(described.sort(), jobs.map(({ id }) => `Created by Job ${id}`).sort());
});

test('two timers on one store run each due time once', async (t) => {
  const first = await openTimer(t);
  const second = await openTimer(t, first.store);
  const { store } = first;
  const jobs = Array.from({ length: 50 }, () => jobRecord({ nextExecutionAt: NOW, pattern: '* * * * *', count: 9 }));
  await Promise.all(jobs.map((job) => store.jobs.insert(job)));

  first.start();
  second.start();
  for (const minute of [0, 1]) {
    const until = NOW + minute * MINUTE + 30 * SECOND;
    await Promise.all([first.clock.moveTo(until), second.clock.moveTo(until)]);
    await Promise.all([first.clock.asleep(), second.clock.asleep()]);
  }

  const recorded = await collect(store.executions.list({ scope: null, filters: [], limit: 999 }));
  const runs = new Map<string, number>();
  for (const { description } of recorded) runs.set(description!, (runs.get(description!) ?? 0) + 1);
  assert.deepEqual([...new Set(runs.values())], [3]); // at once, at 10:21:00 and at 10:22:00
  assert.equal(runs.size, 50);
  assert.deepEqual([...first.warnings, ...second.warnings, ...first.faults, ...second.faults], []);
});

const BROKEN: readonly (readonly [what: string, refusal: QinlingError])[] = [
  ['whose function is gone', notFound('Function not found [id=gone]')],
  ['whose runtime is not available', new QinlingError('CONFLICT', 'Runtime r is not available.')],
  ['that fails in a way nobody foresaw', new QinlingError('INTERNAL', 'Internal service error.')],
];
for (const [what, refusal] of BROKEN) {
  test(`a job ${what} is logged, moves on, and does not hold others up`, async (t) => {
    const { store, clock, executions, warnings, faults, start } = await openTimer(t);
    executions.refusals.set('gone', refusal);
    const once = jobRecord({ functionId: 'gone', nextExecutionAt: NOW - 2 });
    const often = jobRecord({ functionId: 'gone', nextExecutionAt: NOW - 1, pattern: '* * * * *', count: 2 });
    const healthy = jobRecord({ nextExecutionAt: NOW });
    for (const job of [once, often, healthy]) await store.jobs.insert(job);

    start();
    await clock.moveTo(NOW);
    await clock.asleep();

    const read = async ({ id }: JobRecord) => (await store.jobs.get(id, null))!;
    assert.equal((await read(once)).status, JobStatus.Done);
    const { status, count, nextExecutionAt } = await read(often);
    assert.deepEqual([status, count, nextExecutionAt], [JobStatus.Running, 1, NOW + 30 * SECOND]);
    assert.equal((await read(healthy)).status, JobStatus.Done);
    const recorded = await collect(store.executions.list({ scope: null, filters: [], limit: 9 }));
    assert.deepEqual(
      recorded.map(({ description }) => description),
      [`Created by Job ${healthy.id}`],
    );
    assert.deepEqual(
      warnings,
      [once, often].map(({ id }) => `job ${id} did not run: ${refusal.message}`),
    );
    assert.deepEqual(faults, []);
  });
}

test('a job whose pattern can not be read is logged and done', async (t) => {
  const { store, clock, executions, faults, start } = await openTimer(t);
  const job = jobRecord({ nextExecutionAt: NOW, pattern: 'of another program', count: null });
  await store.jobs.insert(job);

  start();
  await clock.moveTo(NOW);
  await clock.asleep();

  assert.equal((await store.jobs.get(job.id, null))!.status, JobStatus.Done);
  assert.deepEqual([executions.asked.length, faults.length], [1, 1]);
});

test('what the store could not take is tried again', async (t) => {
  const { store, clock, executions, faults, start } = await openTimer(t);
  const job = jobRecord({ nextExecutionAt: NOW });
  await store.jobs.insert(job);
  executions.refusals.set('a-function', new QinlingError('UNAVAILABLE', 'The execution could not be recorded.'));

  start();
  await clock.moveTo(NOW);
  await clock.asleep();
  assert.equal((await store.jobs.get(job.id, null))!.status, JobStatus.Running);
  assert.equal(faults.length, 1);
  executions.refusals.clear();
  await clock.moveTo(NOW + SECOND);
  await clock.asleep();

  assert.equal((await store.jobs.get(job.id, null))!.status, JobStatus.Done);
  assert.equal(executions.asked.length, 2);
});

test('paused and cancelled jobs sleep on', async (t) => {
  const { store, clock, executions, start } = await openTimer(t);
  for (const status of [JobStatus.Paused, JobStatus.Cancelled, JobStatus.Done]) {
    await store.jobs.insert(jobRecord({ nextExecutionAt: NOW, status }));
  }

  start();
  await clock.moveTo(NOW + MINUTE);
  await clock.asleep();

  assert.deepEqual(executions.asked, []);
});

test('a timer that was closed fires nothing more', async (t) => {
  const { store, clock, executions, timer, start } = await openTimer(t);
  start();
  await clock.moveTo(NOW);
  await clock.asleep();
  await store.jobs.insert(jobRecord({ nextExecutionAt: NOW }));

  await timer.close();
  timer.wake();
  clock.jumpTo(NOW + MINUTE);

  assert.deepEqual(executions.asked, []);
  await timer.close();
});

async function openTimer(t: TestContext, shared?: Store) {
  const store = shared ?? (await openThrowAwayStore(t));
  const clock = new FakeClock(NOW);
  const executions = new FakeExecutions();
  const faults: unknown[] = [];
  const warnings: string[] = [];
  const timer = new JobTimer(store.jobs, executions, {
    clock,
    onFault: (cause) => faults.push(cause),
    onWarning: (message) => warnings.push(message),
  });
  t.after(() => timer.close());
  return { store, clock, executions, faults, warnings, timer, start: () => timer.start() };
}

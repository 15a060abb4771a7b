import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import { Jobs, type JobUpdate, type NewJob } from '../../../gateway/control/jobs.ts';
import { RunNames } from '../../../gateway/control/run-names.ts';
import { Turns } from '../../../gateway/control/turns.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import { JobStatus, type JobStore } from '../../../gateway/store/job-store.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { collect } from '../../support/collect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { functionRecord } from '../../support/store-records.ts';
import { openThrowAwayStore } from '../../support/throw-away-store.ts';

const NOW = Date.UTC(2026, 0, 15, 10, 20, 30);
const UNCHANGED: JobUpdate = {
  name: undefined,
  functionInput: undefined,
  pattern: undefined,
  status: undefined,
  nextExecutionAt: undefined,
};
const refusal = (httpStatus: number, message: string) => (error: QinlingError) =>
  error.httpStatus === httpStatus && error.message === message;

test('a job belongs to who made it, and is for nobody else but administrators', async (t) => {
  const { jobs, functionId, newJob } = await open(t, 'mine');
  const [mine, theirs] = [accessOf('mine'), accessOf('theirs')];

  const job = await jobs.create(mine, newJob({ name: 'n', functionInput: '{}' }));

  assert.deepEqual(await jobs.get(mine, job.id), job);
  const { projectId, name, functionId: id, functionVersion, functionInput, status, createdAt } = job;
  assert.deepEqual(
    [projectId, name, id, functionVersion, functionInput, status, createdAt],
    ['mine', 'n', functionId, 0, '{}', JobStatus.Running, NOW],
  );
  const unknown = refusal(404, `Job not found [id=${job.id}]`);
  await assert.rejects(jobs.get(theirs, job.id), unknown);
  await assert.rejects(jobs.update(theirs, job.id, { ...UNCHANGED, name: 'x' }), unknown);
  await assert.rejects(jobs.delete(theirs, job.id), unknown);
  assert.deepEqual(await jobs.get(adminOf('theirs'), job.id), job);
  assert.deepEqual(await collect(jobs.list(mine, { filters: [] })), [job]);
  assert.deepEqual(await collect(jobs.list(theirs, { filters: [] })), []);
  await jobs.delete(adminOf('theirs'), job.id);
  await assert.rejects(jobs.get(mine, job.id), unknown);
});

test('a job can only be made for what its maker sees', async (t) => {
  const { jobs, functionId, newJob } = await open(t, 'mine');
  const unknown = refusal(404, `Function not found [id=${functionId}]`);

  await assert.rejects(jobs.create(accessOf('theirs'), newJob({})), unknown);
  assert.equal((await jobs.create(adminOf('theirs'), newJob({}))).projectId, 'theirs');
  const alias = newJob({ functionId: undefined, functionAlias: 'live' });
  await assert.rejects(jobs.create(accessOf('mine'), alias), refusal(404, 'FunctionAlias not found [name=live]'));
  const version = `FunctionVersion not found [function_id=${functionId}, version_number=7]`;
  await assert.rejects(jobs.create(accessOf('mine'), newJob({ functionVersion: 7 })), refusal(404, version));
  const nothing = 'Either function_alias or function_id must be provided.';
  await assert.rejects(jobs.create(accessOf('mine'), newJob({ functionId: undefined })), refusal(400, nothing));
});

test('a change writes what was given and wakes the timer', async (t) => {
  const { jobs, newJob, wakes } = await open(t, 'default');
  const job = await jobs.create(ANYBODY, newJob({ pattern: '@daily' }));
  assert.equal(wakes(), 1);

  const changed = await jobs.update(ANYBODY, job.id, {
    ...UNCHANGED,
    name: 'new',
    functionInput: null,
    pattern: '@hourly',
  });

  const nextExecutionAt = Date.UTC(2026, 0, 15, 11);
  const { updatedAt } = changed;
  assert.deepEqual(changed, { ...job, name: 'new', pattern: '@hourly', nextExecutionAt, updatedAt });
  assert.deepEqual(await jobs.get(ANYBODY, job.id), changed);
  assert.equal(wakes(), 2);
  assert.deepEqual(await jobs.update(ANYBODY, job.id, UNCHANGED), changed);
  assert.equal(wakes(), 2);
});

test('a job that ends while it is being changed takes no change', async (t) => {
  const { store, jobs, newJob } = await open(t, 'default');
  const job = await jobs.create(ANYBODY, newJob({}));
  const meddled = meddling(store.jobs, () => store.jobs.update(job, { status: JobStatus.Done }));
  const others = new Jobs(meddled, new RunNames({ store, turns: new Turns() }), {
    clock: new FakeClock(NOW),
    onChange: () => undefined,
  });

  const change = others.update(ANYBODY, job.id, { ...UNCHANGED, status: 'paused' });

  await assert.rejects(change, refusal(400, 'Can not update a finished job.'));
  assert.equal((await jobs.get(ANYBODY, job.id)).status, JobStatus.Done);
});

test('a job that runs while it is being changed is changed after its run', async (t) => {
  const { store, jobs, newJob } = await open(t, 'default');
  const job = await jobs.create(ANYBODY, newJob({ pattern: '* * * * *', firstExecutionAt: undefined }));
  const nextExecutionAt = job.nextExecutionAt + 60_000;
  const meddled = meddling(store.jobs, () => store.jobs.fire(job, { nextExecutionAt }, null));
  const others = new Jobs(meddled, new RunNames({ store, turns: new Turns() }), {
    clock: new FakeClock(NOW),
    onChange: () => undefined,
  });

  const changed = await others.update(ANYBODY, job.id, { ...UNCHANGED, name: 'new' });

  assert.deepEqual([changed.name, changed.nextExecutionAt], ['new', nextExecutionAt]);
});

async function open(t: TestContext, projectId: string) {
  const store = await openThrowAwayStore(t);
  const aFunction = functionRecord({ projectId });
  await store.functions.insert(aFunction);
  let wakes = 0;
  const options = { clock: new FakeClock(NOW), onChange: () => void wakes++ };
  const jobs = new Jobs(store.jobs, new RunNames({ store, turns: new Turns() }), options);
  const newJob = (fields: Partial<NewJob>): NewJob => ({
    name: undefined,
    functionInput: undefined,
    pattern: undefined,
    firstExecutionAt: NOW + 60_000,
    count: undefined,
    functionId: aFunction.id,
    ...fields,
  });
  return { store, jobs, functionId: aFunction.id, newJob, wakes: () => wakes };
}

/** The store, in which something happens once between a look at a job and its change. */
function meddling(store: JobStore, meddle: () => Promise<unknown>): JobStore {
  let hasMeddled = false;
  return {
    get: store.get.bind(store),
    update: async (seen: Parameters<JobStore['update']>[0], change: Parameters<JobStore['update']>[1]) => {
      if (!hasMeddled) await meddle();
      hasMeddled = true;
      return store.update(seen, change);
    },
  } as unknown as JobStore;
}

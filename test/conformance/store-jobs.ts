import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobStatus } from '../../gateway/store/job-store.ts';
import type { Place } from '../../gateway/store/store.ts';
import { collect } from '../support/collect.ts';
import { executionRecord, functionRecord, jobRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const idsOf = (records: readonly { id: string }[]) => records.map(({ id }) => id);

export function jobPromises(open: OpenStore): void {
  test('a job is read as it was written', async (t) => {
    const { jobs } = await open(t);
    const records = [
      jobRecord({ name: 'once', functionInput: '{"name": "ü"}' }),
      jobRecord({ pattern: '0 * * * *', count: null, functionId: null, functionAlias: 'live', updatedAt: 9 }),
      jobRecord({ status: JobStatus.Cancelled, count: 7, functionVersion: 3, projectId: 'other' }),
    ];
    for (const record of records) await jobs.insert(record);

    for (const record of records) assert.deepEqual(await jobs.get(record.id, null), record);
    assert.equal(await jobs.get(records[0]!.id, 'other'), undefined);
    assert.deepEqual(await jobs.get(records[2]!.id, 'other'), records[2]);
    assert.equal(await jobs.get('unknown', null), undefined);
  });

  test('jobs are listed in the order of creation, page by page, also after the end of a page is gone', async (t) => {
    const { jobs } = await open(t);
    const records = Array.from({ length: 5 }, () => jobRecord());
    const foreign = jobRecord({ projectId: 'other' });
    for (const record of [foreign, ...records].toReversed()) await jobs.insert(record);
    const page = (scope: string | null, after?: Place) => collect(jobs.list({ scope, filters: [], after, limit: 2 }));

    const first = await page('default');
    assert.deepEqual(first, records.slice(0, 2));
    await jobs.delete(first[1]!.id);
    assert.deepEqual(await page('default', first[1]), records.slice(2, 4));
    assert.deepEqual(await page('default', records[3]), records.slice(4));
    assert.deepEqual(await collect(jobs.list({ scope: 'other', filters: [], limit: 9 })), [foreign]);
    assert.equal((await collect(jobs.list({ scope: null, filters: [], limit: 9 }))).length, 5);
    const filters = [{ field: 'projectId', operator: 'neq', values: ['default'] }] as const;
    assert.deepEqual(await collect(jobs.list({ scope: null, filters, limit: 9 })), [foreign]);
  });

  test('a change of a job holds only while it is as it was seen', async (t) => {
    const { jobs } = await open(t);
    const seen = jobRecord({ pattern: '0 * * * *', count: null });
    await jobs.insert(seen);

    const changed = await jobs.update(seen, { name: 'new', status: JobStatus.Paused });

    assert.ok(changed !== undefined && changed.updatedAt !== null);
    assert.deepEqual(changed, { ...seen, name: 'new', status: JobStatus.Paused, updatedAt: changed.updatedAt });
    assert.deepEqual(await jobs.get(seen.id, null), changed);
    for (const change of [{ status: JobStatus.Cancelled }, { name: 'late' }]) {
      assert.equal(await jobs.update(seen, change), undefined);
    }
    for (const other of [{ nextExecutionAt: seen.nextExecutionAt + 1 }, { pattern: '1 * * * *' }]) {
      assert.equal(await jobs.update({ ...changed, ...other }, { name: 'late' }), undefined);
    }
    assert.deepEqual(await jobs.get(seen.id, null), changed);
    assert.equal(await jobs.update(jobRecord(), { name: 'unknown' }), undefined);
  });

  test('a due job is fired once, with its execution, however many try', async (t) => {
    const { jobs, executions, functions } = await open(t);
    const aFunction = functionRecord();
    const seen = jobRecord({ functionId: aFunction.id });
    await functions.insert(aFunction);
    await jobs.insert(seen);
    const runs = Array.from({ length: 3 }, () => executionRecord({ functionId: aFunction.id, isStarted: false }));
    const change = { status: JobStatus.Done, count: 0 };

    const fired = await Promise.all(runs.map((run) => jobs.fire(seen, change, run)));

    assert.deepEqual(fired, [true, false, false]);
    assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 9 })), [runs[0]]);
    assert.equal((await functions.get(aFunction.id, null))!.count, 1);
    const { status, count, nextExecutionAt } = (await jobs.get(seen.id, null))!;
    assert.deepEqual([status, count, nextExecutionAt], [JobStatus.Done, 0, seen.nextExecutionAt]);
    assert.deepEqual(await executions.listUnstarted(aFunction.id, undefined, 9), [runs[0]]);
  });

  test('a job that moves on without an execution leaves none', async (t) => {
    const { jobs, executions } = await open(t);
    const seen = jobRecord({ pattern: '* * * * *', count: 2 });
    await jobs.insert(seen);

    assert.equal(await jobs.fire(seen, { nextExecutionAt: seen.nextExecutionAt + 60_000, count: 1 }, null), true);

    assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 9 })), []);
    assert.equal((await jobs.get(seen.id, null))!.count, 1);
  });

  test('due jobs come in the order of their times; those paused, finished or in the future do not', async (t) => {
    const { jobs } = await open(t);
    assert.equal(await jobs.nextDueAt(), undefined);
    const at = (nextExecutionAt: number, status: JobStatus = JobStatus.Running) =>
      jobRecord({ nextExecutionAt, status, pattern: '* * * * *' });
    const [third, first, second, future] = [at(3_000), at(1_000), at(2_000), at(3_001)];
    const asleep = [at(1, JobStatus.Paused), at(2, JobStatus.Done), at(3, JobStatus.Cancelled)];
    for (const record of [third, first, second, future, ...asleep]) await jobs.insert(record);

    assert.deepEqual(idsOf(await jobs.listDue(3_000, 9)), idsOf([first, second, third]));
    assert.deepEqual(idsOf(await jobs.listDue(3_000, 2)), idsOf([first, second]));
    assert.deepEqual(await jobs.listDue(999, 9), []);
    assert.equal(await jobs.nextDueAt(), 1_000);
    await jobs.delete(first.id);
    await jobs.update(second, { status: JobStatus.Cancelled });
    assert.equal(await jobs.nextDueAt(), 3_000);
  });

  test('it is known what unfinished jobs refer to', async (t) => {
    const { jobs } = await open(t);
    const byFunction = jobRecord({ functionId: 'f', functionVersion: 2, projectId: 'other' });
    const byAlias = jobRecord({ functionId: null, functionAlias: 'live', status: JobStatus.Paused, projectId: 'p' });
    await jobs.insert(byFunction);
    await jobs.insert(byAlias);

    const has = async () =>
      Promise.all([
        jobs.hasUnfinished({ functionId: 'f' }),
        jobs.hasUnfinished({ functionId: 'f', functionVersion: 2 }),
        jobs.hasUnfinished({ functionId: 'f', functionVersion: 0 }),
        jobs.hasUnfinished({ functionId: 'g' }),
        jobs.hasUnfinished({ projectId: 'p', functionAlias: 'live' }),
        jobs.hasUnfinished({ projectId: 'other', functionAlias: 'live' }),
      ]);
    assert.deepEqual(await has(), [true, true, false, false, true, false]);
    await jobs.update(byFunction, { status: JobStatus.Done });
    await jobs.update(byAlias, { status: JobStatus.Cancelled });
    assert.deepEqual(await has(), [false, false, false, false, false, false]);
  });

  test('the finished jobs of a function can be removed, the others stay', async (t) => {
    const { jobs } = await open(t);
    const done = jobRecord({ functionId: 'f', status: JobStatus.Done });
    const cancelled = jobRecord({ functionId: 'f', status: JobStatus.Cancelled });
    const running = jobRecord({ functionId: 'f' });
    const paused = jobRecord({ functionId: 'f', status: JobStatus.Paused });
    const others = [jobRecord({ functionId: 'g', status: JobStatus.Done }), jobRecord({ functionId: null })];
    for (const record of [done, cancelled, running, paused, ...others]) await jobs.insert(record);

    await jobs.deleteFinished('f');

    assert.deepEqual(await collect(jobs.list({ scope: null, filters: [], limit: 9 })), [running, paused, ...others]);
  });
}

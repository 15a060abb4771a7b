import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobStatus } from '../../gateway/store/job-store.ts';
import { collect } from '../support/collect.ts';
import { executionRecord, finalRecord, functionRecord, jobRecord, success } from '../support/store-records.ts';
import type { OpenShared } from './store.ts';

const idsOf = (records: readonly { id: string }[]) => records.map(({ id }) => id);
const unstarted = () => executionRecord({ isSync: false, isStarted: false });

export function sharedPromises(openShared: OpenShared): void {
  test('what one gateway writes the others read', async (t) => {
    const open = openShared(t);
    const [a, b] = [await open('a'), await open('b')];
    const [aFunction, job, execution] = [functionRecord(), jobRecord(), finalRecord()];
    await Promise.all([a.functions.insert(aFunction), a.jobs.insert(job), a.executions.insert(execution, null)]);

    assert.deepEqual(await b.functions.get(aFunction.id, null), aFunction);
    assert.deepEqual(await b.jobs.get(job.id, null), job);
    assert.deepEqual(await b.executions.get(execution.id, null), execution);
    await b.functions.update(aFunction.id, { name: 'new' });
    assert.equal((await a.functions.get(aFunction.id, null))!.name, 'new');
  });

  test('gateways that write at the same time lose nothing', async (t) => {
    const open = openShared(t);
    const stores = [await open('a'), await open('b'), await open('c')];
    const aFunction = functionRecord();
    await stores[0]!.functions.insert(aFunction);
    const records = Array.from({ length: 600 }, () => finalRecord({ functionId: aFunction.id }));
    const written: Promise<void>[] = [];
    for (const [index, record] of records.entries()) {
      written.push(stores[index % 3]!.executions.insert(record, null));
      if (index % 30 === 0) await new Promise(setImmediate);
    }
    await Promise.all(written);

    for (const { executions, functions } of stores) {
      assert.equal((await collect(executions.list({ scope: null, filters: [], limit: 999 }))).length, 600);
      assert.equal((await functions.get(aFunction.id, null))!.count, 600);
    }
  });

  test('a running execution is its gateway’s: no other takes it up, starts it or settles it for lost', async (t) => {
    const open = openShared(t);
    const [a, b] = [await open('a'), await open('b')];
    const [waiting, started] = [unstarted(), executionRecord()];
    await a.executions.insert(waiting, null);
    await a.executions.insert(started, null);

    assert.deepEqual(await b.executions.listUnstarted('a-function', undefined, 9), []);
    assert.deepEqual(await b.executions.listStarted(undefined, 9), []);
    assert.equal(await b.executions.markStarted(waiting.id), false);
    assert.deepEqual(idsOf(await a.executions.listUnstarted('a-function', undefined, 9)), [waiting.id]);
    assert.deepEqual(idsOf(await a.executions.listStarted(undefined, 9)), [started.id]);
    assert.equal(await a.executions.markStarted(waiting.id), true);
  });

  test('a gateway finds its running executions again after a restart', async (t) => {
    const open = openShared(t);
    const before = await open('a');
    const [waiting, started] = [unstarted(), executionRecord()];
    await before.executions.insert(waiting, null);
    await before.executions.insert(started, null);
    await before.close();

    const { executions } = await open('a');

    assert.deepEqual(idsOf(await executions.listStarted(undefined, 9)), [started.id]);
    assert.deepEqual(idsOf(await executions.listUnstarted('a-function', undefined, 9)), [waiting.id]);
    assert.equal(await executions.markStarted(waiting.id), true);
  });

  test('running executions that are taken over are the new gateway’s alone, so many at a time', async (t) => {
    const open = openShared(t);
    const [a, b] = [await open('a'), await open('b')];
    const records = [unstarted(), executionRecord(), unstarted(), executionRecord()];
    for (const record of records) await a.executions.insert(record, null);
    const final = finalRecord();
    await a.executions.insert(final, null);
    const others = [await b.executions.takeOver('unknown', 9), await b.executions.takeOver(null, 9)];

    const taken = [await b.executions.takeOver('a', 3), await b.executions.takeOver('a', 3)];

    assert.deepEqual(others, [[], []]);
    assert.deepEqual(
      taken.map(({ length }) => length),
      [3, 1],
    );
    assert.deepEqual(idsOf(taken.flat()).sort(), idsOf(records).sort());
    assert.deepEqual(
      taken.flat().find(({ id }) => id === records[1]!.id),
      records[1],
    );
    assert.deepEqual(await b.executions.takeOver('a', 3), []);
    assert.deepEqual(await a.executions.listUnstarted('a-function', undefined, 9), []);
    assert.equal(await a.executions.markStarted(records[0]!.id), false);
    assert.equal(await b.executions.markStarted(records[0]!.id), true);
    assert.deepEqual(idsOf(await b.executions.listUnstarted('a-function', undefined, 9)), [records[2]!.id]);
    assert.deepEqual(
      idsOf(await b.executions.listStarted(undefined, 9)).sort(),
      idsOf([records[0]!, records[1]!, records[3]!]).sort(),
    );
  });

  test('gateways that take over at the same time share what there is', async (t) => {
    const open = openShared(t);
    const [gone, b, c] = [await open('gone'), await open('b'), await open('c')];
    const records = Array.from({ length: 40 }, unstarted);
    for (const record of records) await gone.executions.insert(record, null);

    const taken = await Promise.all(
      [b, c].flatMap(({ executions }) => [1, 2, 3].map(() => executions.takeOver('gone', 10))),
    );

    assert.deepEqual(idsOf(taken.flat()).sort(), idsOf(records).sort());
  });

  test('an execution is settled by the first of two gateways', async (t) => {
    const open = openShared(t);
    const [a, b] = [await open('a'), await open('b')];
    const record = executionRecord();
    await a.executions.insert(record, null);

    const settled = await Promise.all([
      a.executions.settle(record.id, success({ output: '1' })),
      b.executions.settle(record.id, success({ output: '2' })),
    ]);

    assert.equal(settled.filter(Boolean).length, 1);
    const output = settled[0] ? '1' : '2';
    for (const { executions } of [a, b]) assert.equal((await executions.get(record.id, null))!.output, output);
  });

  test('a due job is fired by one of two gateways', async (t) => {
    const open = openShared(t);
    const stores = [await open('a'), await open('b')];
    const jobs = Array.from({ length: 20 }, () => jobRecord());
    for (const job of jobs) await stores[0]!.jobs.insert(job);
    const change = { status: JobStatus.Done, count: 0 };

    const fired = await Promise.all(
      stores.map((store) => Promise.all(jobs.map((job) => store.jobs.fire(job, change, unstarted())))),
    );

    for (const index of jobs.keys()) assert.equal(Number(fired[0]![index]) + Number(fired[1]![index]), 1);
    const [a, b] = await Promise.all(
      stores.map(({ executions }) => executions.listUnstarted('a-function', undefined, 99)),
    );
    assert.equal(a!.length + b!.length, 20);
    assert.equal(a!.length, fired[0]!.filter(Boolean).length, 'who fires a job runs it');
  });

  test('two gateways that remove old records by count keep as many as one would', async (t) => {
    const open = openShared(t);
    const [a, b] = [await open('a'), await open('b')];
    const bounds = { olderThan: 0, keep: 5, limit: 100 };
    const insert = (count: number, { executions }: typeof a) =>
      Promise.all(Array.from({ length: count }, () => executions.insert(finalRecord(), null)));
    await insert(5, a);
    assert.deepEqual([await a.executions.prune(bounds), await b.executions.prune(bounds)], [0, 0]);
    await insert(10, a);

    const removed = [
      await b.executions.prune(bounds),
      await a.executions.prune(bounds),
      await b.executions.prune(bounds),
    ];

    assert.deepEqual(removed, [10, 0, 0]);
    await Promise.all([insert(4, a), insert(4, b)]);
    const both = await Promise.all([a.executions.prune(bounds), b.executions.prune(bounds)]);
    assert.equal(both[0] + both[1], 8);
    assert.equal((await collect(a.executions.list({ scope: null, filters: [], limit: 99 }))).length, 5);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionRecord, ExecutionStore } from '../../gateway/store/store.ts';
import { collect } from '../support/collect.ts';
import { executionLog, executionRecord, finalRecord, success } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const KEEP_ALL = 1_000_000;

export function prunePromises(open: OpenStore): void {
  test('old final executions are removed with their logs, oldest first, a batch at a time', async (t) => {
    const { executions } = await open(t);
    const records = await insertFinal(executions, 6);
    const bounds = { olderThan: records[4]!.createdAt, keep: KEEP_ALL, limit: 3 };

    assert.equal(await executions.prune(bounds), 3);
    assert.deepEqual(await kept(executions), records.slice(3));
    assert.equal(await executions.prune(bounds), 1);
    assert.deepEqual(await kept(executions), records.slice(4));
    assert.equal(await executions.prune(bounds), 0);
    assert.equal(await executions.getLog(records[0]!.id), undefined);
  });

  test('final executions beyond the newest so many are removed', async (t) => {
    const { executions } = await open(t);
    const records = await insertFinal(executions, 5);

    assert.equal(await executions.prune({ olderThan: 0, keep: 2, limit: 2 }), 2);
    assert.equal(await executions.prune({ olderThan: 0, keep: 2, limit: 2 }), 1);
    assert.equal(await executions.prune({ olderThan: 0, keep: 2, limit: 2 }), 0);
    assert.deepEqual(await kept(executions), records.slice(3));
    const more = await insertFinal(executions, 1);
    await executions.delete(records[3]!.id);
    assert.equal(await executions.prune({ olderThan: 0, keep: 2, limit: 2 }), 0);
    assert.equal(await executions.prune({ olderThan: 0, keep: 1, limit: 2 }), 1);
    assert.deepEqual(await kept(executions), more);
    assert.equal(await executions.prune({ olderThan: 0, keep: 0, limit: 2 }), 1);
  });

  test('running executions are never removed, and count as those that are kept', async (t) => {
    const { executions } = await open(t);
    const running = [executionRecord(), executionRecord({ isStarted: false })];
    for (const record of running) await executions.insert(record, null);
    const final = await insertFinal(executions, 2);

    assert.equal(await executions.prune({ olderThan: 0, keep: 2, limit: 9 }), 0);
    assert.equal(await executions.prune({ olderThan: 0, keep: 1, limit: 9 }), 1);
    assert.deepEqual(await kept(executions), [...running, final[1]!]);
    assert.equal(await executions.prune({ olderThan: Date.now(), keep: 0, limit: 9 }), 1);
    assert.deepEqual(await kept(executions), running);
    await executions.settle(running[0]!.id, success());
    assert.equal(await executions.prune({ olderThan: Date.now(), keep: KEEP_ALL, limit: 9 }), 1);
  });

  test('what a failed group would have added is not counted', async (t) => {
    const { executions } = await open(t);
    const records = await insertFinal(executions, 3);
    await executions.prune({ olderThan: 0, keep: 3, limit: 9 });
    const failing = finalRecord();
    await Promise.allSettled([failing, failing].map((record) => executions.insert(record, null)));

    assert.equal(await executions.prune({ olderThan: 0, keep: 3, limit: 9 }), 0);
    assert.deepEqual(await kept(executions), records);
  });
}

async function insertFinal(executions: ExecutionStore, count: number): Promise<ExecutionRecord[]> {
  const records = Array.from({ length: count }, () => finalRecord());
  await Promise.all(records.map((record) => executions.insert(record, executionLog('printed'))));
  return records;
}

function kept(executions: ExecutionStore): Promise<ExecutionRecord[]> {
  return collect(executions.list({ scope: null, filters: [], limit: 100 }));
}

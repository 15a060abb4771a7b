import assert from 'node:assert/strict';
import { test } from 'node:test';
import { executionRecord, finalRecord, functionRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

export function functionPromises(open: OpenStore): void {
  test('a function is read as it was written, with all of its code document', async (t) => {
    const { functions } = await open(t);
    const full = functionRecord({ code: { source: 'swift', swift: { container: 'c', object: 'ö' }, n: [1, null] } });
    const bare = functionRecord({ name: null, runtimeId: null, packageDigest: null, entry: null, updatedAt: 9 });
    const retry = { maxAttempts: 3, backoffSeconds: 0.5, backoffRate: 1.5, maxBackoffSeconds: 60 };
    const retried = functionRecord({ retry });
    await functions.insert(retried);
    assert.deepEqual(await functions.get(retried.id, null), retried);
    await functions.insert(full);
    await functions.insert(bare);

    assert.deepEqual(await functions.get(full.id, null), full);
    assert.deepEqual(await functions.get(bare.id, null), bare);
    assert.equal(await functions.get('unknown', null), undefined);
  });

  test('a change of a function touches what it names and updatedAt, never its count', async (t) => {
    const { functions, executions } = await open(t);
    const record = functionRecord();
    await functions.insert(record);
    const [changed] = await Promise.all([
      functions.update(record.id, { name: 'other', entry: null }),
      executions.insert(finalRecord({ functionId: record.id }), null),
    ]);

    assert.ok(changed !== undefined && changed.updatedAt !== null);
    assert.deepEqual(changed, { ...record, name: 'other', entry: null, updatedAt: changed.updatedAt });
    const read = await functions.get(record.id, null);
    assert.deepEqual(read, { ...changed, count: 1, updatedAt: read!.updatedAt });
    assert.equal(await functions.update('unknown', { name: 'x' }), undefined);
  });

  test('each inserted execution of version 0 raises the count of its function', async (t) => {
    const { functions, executions } = await open(t);
    const [called, idle] = [functionRecord(), functionRecord()];
    await functions.insert(called);
    await functions.insert(idle);
    const group = Array.from({ length: 10 }, () => executions.insert(finalRecord({ functionId: called.id }), null));
    await Promise.all(group);
    await executions.insert(executionRecord({ functionId: called.id }), null);
    await executions.insert(executionRecord({ functionId: called.id, functionVersion: 1 }), null);

    const read = await functions.get(called.id, null);
    assert.equal(read!.count, 11);
    assert.notEqual(read!.updatedAt, null);
    assert.deepEqual(await functions.get(idle.id, null), idle);
  });

  test('it is known which runtimes and package digests functions refer to', async (t) => {
    const { functions } = await open(t);
    const record = functionRecord({ projectId: 'a', runtimeId: 'used', packageDigest: 'kept' });
    await functions.insert(record);

    assert.equal(await functions.hasRuntime('used'), true);
    assert.equal(await functions.hasRuntime('unused'), false);
    assert.equal(await functions.hasPackageDigest('kept'), true);
    assert.equal(await functions.hasPackageDigest('gone'), false);
    await functions.delete(record.id);
    assert.equal(await functions.hasRuntime('used'), false);
    assert.equal(await functions.hasPackageDigest('kept'), false);
  });

  test('executions outlive their function', async (t) => {
    const { functions, executions } = await open(t);
    const record = functionRecord();
    const execution = finalRecord({ functionId: record.id });
    await functions.insert(record);
    await executions.insert(execution, null);

    assert.equal(await functions.delete(record.id), true);
    assert.equal(await functions.delete(record.id), false);
    assert.equal(await functions.get(record.id, null), undefined);
    assert.deepEqual(await executions.get(execution.id, null), execution);
  });
}

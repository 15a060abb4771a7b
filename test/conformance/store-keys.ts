import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IdempotencyKey } from '../../gateway/store/idempotency-key.ts';
import type { ExecutionRecord } from '../../gateway/store/store.ts';
import { executionRecord, functionRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const KEY: IdempotencyKey = { text: 'a-key', fingerprint: 'f'.repeat(64) };
const everTaken = 0;

function takenBy({ id }: ExecutionRecord, { fingerprint } = KEY) {
  return { executionId: id, fingerprint };
}

/** Keys that make a request give the same execution again. */
export function keyPromises(open: OpenStore): void {
  test('of two that take a key together one adds its execution, the other is told by whom it was taken', async (t) => {
    const { functions, executions } = await open(t);
    const aFunction = functionRecord();
    await functions.insert(aFunction);
    const [first, second] = [0, 1].map(() => executionRecord({ functionId: aFunction.id })) as [
      ExecutionRecord,
      ExecutionRecord,
    ];
    const other = { ...KEY, fingerprint: '0'.repeat(64) };

    const ends = [executions.insertOnce(first, KEY, everTaken), executions.insertOnce(second, other, everTaken)];

    assert.deepEqual(await Promise.all(ends), [undefined, takenBy(first)]);
    assert.deepEqual(await executions.get(first.id, null), first);
    assert.equal(await executions.get(second.id, null), undefined);
    assert.deepEqual(await executions.findKey('default', KEY.text, everTaken), takenBy(first));
    assert.equal((await functions.get(aFunction.id, null))!.count, 1);
  });

  test('a key belongs to its project', async (t) => {
    const { executions } = await open(t);
    const [mine, theirs] = [executionRecord({ projectId: 'a' }), executionRecord({ projectId: 'b' })];
    assert.equal(await executions.insertOnce(mine, KEY, everTaken), undefined);
    assert.equal(await executions.findKey('b', KEY.text, everTaken), undefined);

    assert.equal(await executions.insertOnce(theirs, KEY, everTaken), undefined);

    assert.deepEqual(await executions.findKey('a', KEY.text, everTaken), takenBy(mine));
    assert.deepEqual(await executions.findKey('b', KEY.text, everTaken), takenBy(theirs));
    assert.equal(await executions.findKey('never seen', KEY.text, everTaken), undefined);
  });

  test('keys are told apart by every character', async (t) => {
    const { executions } = await open(t);
    const record = executionRecord();
    await executions.insertOnce(record, KEY, everTaken);
    for (const text of ['A-key', 'a-key ', 'a-ke', '', '%', "'"]) {
      assert.equal(await executions.findKey('default', text, everTaken), undefined);
    }
  });

  test('a key that was taken long ago is free', async (t) => {
    const { executions } = await open(t);
    const [old, young] = [executionRecord(), executionRecord()];
    await executions.insertOnce(old, KEY, everTaken);
    assert.deepEqual(await executions.findKey('default', KEY.text, old.createdAt), takenBy(old));
    assert.equal(await executions.findKey('default', KEY.text, old.createdAt + 1), undefined);

    assert.deepEqual(await executions.insertOnce(young, KEY, old.createdAt), takenBy(old));
    assert.equal(await executions.insertOnce(young, KEY, old.createdAt + 1), undefined);

    assert.deepEqual(await executions.findKey('default', KEY.text, everTaken), takenBy(young));
    assert.deepEqual(await executions.get(old.id, null), old);
  });

  test('a key outlives the execution that took it', async (t) => {
    const { executions } = await open(t);
    const record = executionRecord();
    await executions.insertOnce(record, KEY, everTaken);
    await executions.delete(record.id);

    assert.deepEqual(await executions.insertOnce(executionRecord(), KEY, everTaken), takenBy(record));
  });

  test('an execution that is withdrawn leaves neither record nor key nor count', async (t) => {
    const { functions, executions } = await open(t);
    const aFunction = functionRecord();
    await functions.insert(aFunction);
    const record = executionRecord({ functionId: aFunction.id });
    await executions.insertOnce(record, KEY, everTaken);

    await executions.withdraw(record, KEY);

    assert.equal(await executions.get(record.id, null), undefined);
    assert.equal(await executions.findKey('default', KEY.text, everTaken), undefined);
    assert.equal((await functions.get(aFunction.id, null))!.count, 0);
  });

  test('to withdraw an execution leaves a key alone that another one took since', async (t) => {
    const { executions } = await open(t);
    const [old, young] = [executionRecord(), executionRecord()];
    await executions.insertOnce(old, KEY, everTaken);
    await executions.insertOnce(young, KEY, old.createdAt + 1);

    await executions.withdraw(old, KEY);

    assert.deepEqual(await executions.findKey('default', KEY.text, everTaken), takenBy(young));
  });

  test('old keys are removed, the oldest first, so many at a time', async (t) => {
    const { executions } = await open(t);
    const records = Array.from({ length: 5 }, () => executionRecord());
    for (const [index, record] of records.entries()) {
      await executions.insertOnce(record, { ...KEY, text: `key-${index}` }, everTaken);
    }
    const takenBefore = records[3]!.createdAt;

    assert.equal(await executions.pruneKeys({ takenBefore, limit: 2 }), 2);
    const left = await Promise.all(records.map((_, index) => executions.findKey('default', `key-${index}`, everTaken)));
    assert.deepEqual(
      left.map((key) => key !== undefined),
      [false, false, true, true, true],
    );
    assert.equal(await executions.pruneKeys({ takenBefore, limit: 9 }), 1);
    assert.equal(await executions.pruneKeys({ takenBefore, limit: 9 }), 0);
    assert.deepEqual(await executions.get(records[0]!.id, null), records[0]);
  });
}

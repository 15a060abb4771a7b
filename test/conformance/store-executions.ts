import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExecutionStatus } from '../../gateway/store/store.ts';
import { executionLog, executionRecord, finalRecord, success } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

export function executionPromises(open: OpenStore): void {
  test('an execution is read as it was written, running or final', async (t) => {
    const { executions } = await open(t);
    const records = [
      executionRecord({ isSync: false, isStarted: false, input: null }),
      executionRecord({ functionVersion: 3, functionAlias: 'live', description: 'Created by job x' }),
      finalRecord({ updatedAt: 5 }),
      finalRecord({ status: ExecutionStatus.Failed, output: '"\\u0000 grüße \\ud83d\\ude00"', projectId: 'other' }),
      finalRecord({ status: ExecutionStatus.Error, output: null, durationSeconds: null, isStarted: false }),
    ];
    for (const record of records) await executions.insert(record, null);

    for (const record of records) assert.deepEqual(await executions.get(record.id, null), record);
  });

  test('an id that differs in its last digit only is unknown', async (t) => {
    const { executions } = await open(t);
    const record = executionRecord();
    await executions.insert(record, null);
    const other = record.id.slice(0, -1) + (record.id.endsWith('0') ? '1' : '0');

    for (const id of [other, 'unknown', '', '6f0b2b3c-9d3d-4d2b-8c7e-1f1f4a8b0a11']) {
      assert.equal(await executions.get(id, null), undefined);
      assert.equal(await executions.getLog(id), undefined);
      assert.equal(await executions.markStarted(id), false);
      assert.equal(await executions.settle(id, success()), false);
      assert.equal(await executions.delete(id), false);
    }
    assert.deepEqual(await executions.get(record.id, null), record);
  });

  test('an execution is settled once', async (t) => {
    const { executions } = await open(t);
    const record = executionRecord();
    await executions.insert(record, null);
    const outcome = success({ output: '42', durationSeconds: 1.5, log: executionLog('first') });
    const late = success({ status: ExecutionStatus.Error, output: null, log: executionLog('late') });

    const [first, second] = await Promise.all([
      executions.settle(record.id, outcome),
      executions.settle(record.id, late),
    ]);

    assert.deepEqual([first, second], [true, false]);
    assert.equal(await executions.settle(record.id, late), false);
    const read = await executions.get(record.id, null);
    const { updatedAt } = read!;
    assert.notEqual(updatedAt, null);
    const final = { status: ExecutionStatus.Success, output: '42', durationSeconds: 1.5, updatedAt };
    assert.deepEqual(read, { ...record, ...final });
    assert.equal(Buffer.from((await executions.getLog(record.id))!.text).toString(), 'first');
  });

  test('an execution that was inserted final cannot be settled or started', async (t) => {
    const { executions } = await open(t);
    const record = finalRecord({ isStarted: false });
    await executions.insert(record, executionLog('kept'));

    assert.equal(await executions.settle(record.id, success({ output: '1' })), false);
    assert.equal(await executions.markStarted(record.id), false);
    assert.deepEqual(await executions.get(record.id, null), record);
  });

  test('a running execution is marked as started once', async (t) => {
    const { executions } = await open(t);
    const record = executionRecord({ isSync: false, isStarted: false });
    await executions.insert(record, null);

    const marks = [executions.markStarted(record.id), executions.markStarted(record.id)];

    assert.deepEqual(await Promise.all(marks), [true, false]);
    assert.equal((await executions.get(record.id, null))!.isStarted, true);
  });

  test('a log is kept byte by byte, and goes with its execution', async (t) => {
    const { executions } = await open(t);
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const record = finalRecord();
    const quiet = finalRecord();
    await executions.insert(record, { text: bytes, isCut: true, isFinished: false });
    await executions.insert(quiet, null);

    const log = await executions.getLog(record.id);
    assert.deepEqual(Buffer.from(log!.text), bytes);
    assert.deepEqual([log!.isCut, log!.isFinished], [true, false]);
    assert.equal(await executions.getLog(quiet.id), null);
    assert.equal(await executions.delete(record.id), true);
    assert.equal(await executions.getLog(record.id), undefined);
  });

  test('after a restart the unstarted executions are found apart from the started ones, oldest first', async (t) => {
    const { executions } = await open(t);
    const unstarted = Array.from({ length: 5 }, () => executionRecord({ isSync: false, isStarted: false }));
    const started = Array.from({ length: 3 }, () => executionRecord());
    for (const record of [...unstarted.toReversed(), ...started, finalRecord()]) await executions.insert(record, null);
    await executions.settle(unstarted[0]!.id, success());
    await executions.markStarted(unstarted[1]!.id);
    await executions.delete(started[2]!.id);

    const idsOf = (records: { id: string }[]) => records.map(({ id }) => id);
    assert.deepEqual(idsOf(await executions.listUnstarted('a-function', undefined, 2)), idsOf(unstarted.slice(2, 4)));
    assert.deepEqual(
      idsOf(await executions.listUnstarted('a-function', unstarted[3]!.id, 2)),
      idsOf(unstarted.slice(4)),
    );
    assert.deepEqual(
      idsOf(await executions.listStarted(undefined, 9)),
      idsOf([unstarted[1]!, started[0]!, started[1]!]),
    );
  });

  test('unstarted executions are found by their functions', async (t) => {
    const { executions } = await open(t);
    const functionIds = Array.from({ length: 5 }, (_, at) => `function-${at}`);
    const unstarted = [0, 3, 1, 3, 0, 2].map((at) =>
      executionRecord({ functionId: functionIds[at]!, isSync: false, isStarted: false }),
    );
    const started = executionRecord({ functionId: functionIds[4]! });
    for (const record of [...unstarted, started, finalRecord()]) await executions.insert(record, null);
    await executions.settle(unstarted[5]!.id, success());

    const found: string[] = [];
    for (;;) {
      const some = await executions.listUnstartedFunctions(found.at(-1), 2);
      if (some.length === 0) break;
      assert.ok(some.length <= 2);
      found.push(...some);
    }

    assert.deepEqual(found.toSorted(), ['function-0', 'function-1', 'function-3']);
    assert.deepEqual(await executions.listUnstarted('function-3', undefined, 9), [unstarted[1], unstarted[3]]);
    assert.deepEqual(await executions.listUnstarted('function-4', undefined, 9), []);
    assert.deepEqual(await executions.listUnstarted('nobody', undefined, 9), []);
  });

  test('running executions come by fewer where their inputs hold much, and all of them in the end', async (t) => {
    const { executions } = await open(t);
    const input = JSON.stringify('x'.repeat(10 * 1024 * 1024));
    const changes = [{ isStarted: false }, { isStarted: true }].flatMap((change) => Array(4).fill(change) as object[]);
    const records = changes.map((change) => executionRecord({ ...change, input }));
    for (const record of records) await executions.insert(record, null);
    const unstarted = (after: string | undefined) => executions.listUnstarted('a-function', after, 9);
    const started = (after: string | undefined) => executions.listStarted(after, 9);
    for (const list of [unstarted, started]) {
      const ids: string[] = [];
      for (;;) {
        const some = await list(ids.at(-1));
        if (some.length === 0) break;
        assert.ok(some.length < 4, `${some.length} at once`);
        for (const { id } of some) ids.push(id);
      }
      const expected = records.filter(({ isStarted }) => isStarted === (list === started));
      assert.deepEqual(
        ids,
        expected.map(({ id }) => id),
      );
    }
  });
}

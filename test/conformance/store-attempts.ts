import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attempts, RetryPolicy } from '../../gateway/store/attempts.ts';
import { ExecutionStatus, type ExecutionRecord } from '../../gateway/store/store.ts';
import { collect } from '../support/collect.ts';
import { FIRST_DAY_MS, executionLog, executionRecord, finalRecord, success } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const POLICY: RetryPolicy = { maxAttempts: 3, backoffSeconds: 0.5, backoffRate: 2, maxBackoffSeconds: 60 };
const FAR_MS = FIRST_DAY_MS + 1_000_000;

function attempts(change: Partial<Attempts> = {}): Attempts {
  return { number: 1, first: 1, policy: POLICY, dueAt: null, ...change };
}

/** An accepted, asynchronous execution that may be tried three times. */
function retried(change: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return executionRecord({ isSync: false, isStarted: false, attempts: attempts(), ...change });
}

const idsOf = (records: readonly { id: string }[]) => records.map(({ id }) => id);

/** Executions with more than one attempt. */
export function attemptPromises(open: OpenStore): void {
  test('attempts are read as they were written, in lists too', async (t) => {
    const { executions } = await open(t);
    const records = [
      retried(),
      retried({ attempts: attempts({ number: 5, first: 4, policy: null, dueAt: FAR_MS }) }),
      executionRecord(),
    ];
    for (const record of records) await executions.insert(record, null);

    for (const record of records) assert.deepEqual(await executions.get(record.id, null), record);
    assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 9 })), records);
  });

  test('an attempt that ended is followed by one that is due later, and starts once', async (t) => {
    const { executions } = await open(t);
    const record = retried();
    await executions.insert(record, null);
    assert.equal(await executions.markStarted(record.id, 1), true);

    assert.equal(await executions.postpone(record.id, 1, FAR_MS, executionLog('first')), true);

    const waiting = (await executions.get(record.id, null))!;
    const { updatedAt } = waiting;
    assert.notEqual(updatedAt, null);
    assert.deepEqual(waiting, { ...record, attempts: attempts({ number: 2, dueAt: FAR_MS }), updatedAt });
    assert.equal(Buffer.from((await executions.getLog(record.id))!.text).toString(), 'first');
    const marks = [1, 2, 2].map((attempt) => executions.markStarted(record.id, attempt));
    assert.deepEqual(await Promise.all(marks), [false, true, false]);
    const started = (await executions.get(record.id, null))!;
    assert.deepEqual([started.isStarted, started.attempts], [true, attempts({ number: 2 })]);
  });

  test('a late end of an earlier attempt changes nothing', async (t) => {
    const { executions } = await open(t);
    const record = retried();
    await executions.insert(record, null);
    await executions.markStarted(record.id, 1);
    await executions.postpone(record.id, 1, FAR_MS, null);
    const waiting = await executions.get(record.id, null);

    assert.equal(await executions.settle(record.id, success({ log: executionLog('late') }), 1), false);
    assert.equal(await executions.settle(record.id, success({ log: executionLog('late') })), false);
    assert.equal(await executions.postpone(record.id, 1, FAR_MS + 1, executionLog('late')), false);
    assert.equal(await executions.settle(record.id, success(), 3), false);

    assert.deepEqual(await executions.get(record.id, null), waiting);
    assert.equal(await executions.getLog(record.id), null);
    await executions.markStarted(record.id, 2);
    assert.equal(await executions.settle(record.id, success({ output: '"second"' }), 2), true);
    const final = (await executions.get(record.id, null))!;
    assert.deepEqual([final.status, final.output, final.attempts], ['success', '"second"', attempts({ number: 2 })]);
  });

  test('the log is that of the last attempt that ended, also where it printed nothing', async (t) => {
    const { executions } = await open(t);
    const record = retried();
    await executions.insert(record, null);
    await executions.postpone(record.id, 1, FAR_MS, executionLog('first'));
    await executions.postpone(record.id, 2, FAR_MS, null);
    assert.equal(await executions.getLog(record.id), null);
    await executions.postpone(record.id, 3, FAR_MS, executionLog('third'));
    await executions.settle(record.id, success(), 4);
    assert.equal(await executions.getLog(record.id), null);
  });

  test('an execution that is accepted for one attempt can get another, and then shows it', async (t) => {
    const { executions } = await open(t);
    const record = executionRecord({ isSync: false });
    await executions.insert(record, null);

    await executions.postpone(record.id, 1, FAR_MS, null);

    const waiting = (await executions.get(record.id, null))!;
    assert.deepEqual(waiting.attempts, attempts({ number: 2, policy: null, dueAt: FAR_MS }));
  });

  test('waiting attempts are taken when they are due, the first due first, and wait for their start from then on', async (t) => {
    const { executions } = await open(t);
    const records = Array.from({ length: 4 }, () => retried());
    const fresh = retried();
    for (const record of [...records, fresh]) await executions.insert(record, null);
    const [late, early, started, settled] = records as [
      ExecutionRecord,
      ExecutionRecord,
      ExecutionRecord,
      ExecutionRecord,
    ];
    const due = [FAR_MS + 2, FAR_MS, FAR_MS, FAR_MS];
    for (const [index, { id }] of records.entries()) await executions.postpone(id, 1, due[index]!, null);
    await executions.markStarted(started.id, 2);
    await executions.settle(settled.id, success(), 2);

    const unstarted = () => executions.listUnstarted('a-function', undefined, 9);
    assert.deepEqual(await unstarted(), [fresh]);
    assert.deepEqual(idsOf(await executions.listStarted(undefined, 9)), [started.id]);
    assert.equal(await executions.nextDueAt(FAR_MS - 1), FAR_MS);
    assert.equal(await executions.nextDueAt(FAR_MS), FAR_MS + 2);
    assert.equal(await executions.nextDueAt(FAR_MS + 2), undefined);
    assert.deepEqual(await executions.takeDue(FAR_MS - 1, 9), []);
    const taken = await executions.takeDue(FAR_MS + 2, 1);
    assert.deepEqual(idsOf(taken), [early.id]);
    assert.equal(taken[0]!.attempts!.dueAt, null);
    assert.deepEqual(await unstarted(), [...taken, fresh]);
    assert.deepEqual(idsOf(await executions.takeDue(FAR_MS + 2, 9)), [late.id]);
    assert.deepEqual(await executions.takeDue(FAR_MS + 2, 9), []);
    assert.equal(await executions.markStarted(early.id, 2), true);
    assert.deepEqual(idsOf(await unstarted()), idsOf([late, fresh]));
  });

  test('a deleted execution is not due', async (t) => {
    const { executions } = await open(t);
    const record = retried();
    await executions.insert(record, null);
    await executions.postpone(record.id, 1, FAR_MS, null);
    await executions.delete(record.id);

    assert.deepEqual(await executions.takeDue(FAR_MS, 9), []);
    assert.equal(await executions.nextDueAt(0), undefined);
    assert.equal(await executions.markStarted(record.id, 2), false);
  });

  test('a final, asynchronous execution begins another round, without result and log', async (t) => {
    const { executions } = await open(t);
    const record = finalRecord({ isSync: false, status: ExecutionStatus.Failed, attempts: attempts({ number: 3 }) });
    await executions.insert(record, executionLog('third'));

    const redriven = await executions.redrive(record.id, FAR_MS);

    const next = attempts({ number: 4, first: 4, dueAt: FAR_MS });
    const { updatedAt } = redriven!;
    assert.notEqual(updatedAt, null);
    const running = { status: ExecutionStatus.Running, output: null, durationSeconds: null, isStarted: false };
    assert.deepEqual(redriven, { ...record, ...running, attempts: next, updatedAt });
    assert.deepEqual(await executions.get(record.id, null), redriven);
    assert.equal(await executions.getLog(record.id), null);
    const taken = await executions.takeDue(FAR_MS, 9);
    assert.deepEqual(taken, [{ ...redriven, attempts: { ...next, dueAt: null } }]);
    assert.equal(await executions.settle(record.id, success(), 3), false);
    assert.equal(await executions.redrive(record.id, FAR_MS), undefined);
  });

  test('running, synchronous and unknown executions begin no other round', async (t) => {
    const { executions } = await open(t);
    const records = [finalRecord(), executionRecord({ isSync: false }), retried()];
    for (const record of records) await executions.insert(record, executionLog('kept'));

    for (const record of records) {
      assert.equal(await executions.redrive(record.id, FAR_MS), undefined);
      assert.deepEqual(await executions.get(record.id, null), record);
      assert.notEqual(await executions.getLog(record.id), null);
    }
    assert.equal(await executions.redrive('unknown', FAR_MS), undefined);
  });
}

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Retention } from '../../../gateway/control/retention.ts';
import type { ExecutionStore } from '../../../gateway/store/store.ts';
import { collect } from '../../support/collect.ts';
import { executionRecord, finalRecord } from '../../support/store-records.ts';
import { openThrowAwayStore } from '../../support/throw-away-store.ts';

const DAY_MS = 86_400_000;
const unexpected = (cause: unknown) => assert.fail(String(cause));

test('old records go in small batches, running ones and young ones stay', async (t) => {
  const { executions } = await openThrowAwayStore(t);
  const young = [finalRecord({ createdAt: Date.now() }), finalRecord({ createdAt: Date.now() })];
  const running = executionRecord();
  const old = Array.from({ length: 1_200 }, () => finalRecord());
  await Promise.all([running, ...old, ...young].map((record) => executions.insert(record, null)));
  const { watched, removed, untilRemoved } = watch(executions);

  start(t, watched, { maxAgeMs: DAY_MS, maxCount: 1_000_000, onFault: unexpected });
  await untilRemoved(1_200);

  assert.deepEqual(removed, [500, 500, 200]);
  assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 9 })), [running, ...young]);
});

test('records beyond the newest so many go', async (t) => {
  const { executions } = await openThrowAwayStore(t);
  const records = Array.from({ length: 5 }, () => finalRecord());
  await Promise.all(records.map((record) => executions.insert(record, null)));
  const { watched, untilRemoved } = watch(executions);

  start(t, watched, { maxAgeMs: 100_000 * DAY_MS, maxCount: 2, onFault: unexpected });
  await untilRemoved(3);

  assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 9 })), records.slice(3));
});

test('what grows old later goes in a later round, also after a round that failed', async (t) => {
  const { executions } = await openThrowAwayStore(t);
  const fault = new Error('the disk is full');
  const faults: unknown[] = [];
  const { watched, untilRemoved } = watch(executions, fault);

  start(t, watched, { maxAgeMs: DAY_MS, maxCount: 9, onFault: (cause) => faults.push(cause), roundMs: 1 });
  await untilRemoved(0);
  await executions.insert(finalRecord(), null);
  await untilRemoved(1);

  assert.deepEqual(faults, [fault]);
  assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 9 })), []);
});

test('idempotency keys go when their time is over, whatever becomes of their executions', async (t) => {
  const { executions } = await openThrowAwayStore(t);
  const [old, young] = [
    executionRecord({ createdAt: Date.now() - DAY_MS - 1 }),
    executionRecord({ createdAt: Date.now() }),
  ];
  const fingerprint = 'f';
  await executions.insertOnce(old, { text: 'old', fingerprint }, 0);
  await executions.insertOnce(young, { text: 'young', fingerprint }, 0);
  const { watched, untilRemoved } = watch(executions);

  start(t, watched, { maxAgeMs: 100_000 * DAY_MS, maxCount: 9, onFault: unexpected });
  await untilRemoved(0);

  assert.equal(await executions.findKey('default', 'old', 0), undefined);
  assert.deepEqual(await executions.findKey('default', 'young', 0), { executionId: young.id, fingerprint });
  assert.deepEqual(await executions.get(old.id, null), old);
});

test('the batch under way at the end is the last', async (t) => {
  const { executions } = await openThrowAwayStore(t);
  const { watched, removed, untilRemoved } = watch(executions);
  const retention = start(t, watched, { maxAgeMs: 0, maxCount: 0, onFault: unexpected, roundMs: 1 });
  await untilRemoved(0);

  retention.close();
  retention.start();
  const count = removed.length;
  await new Promise((resolve) => setTimeout(resolve, 10)); // later than the timers it might have set

  assert.ok(removed.length - count <= 1);
});

test('nothing is removed when it ends before its first round', async (t) => {
  const { executions } = await openThrowAwayStore(t);
  const { watched, removed } = watch(executions);

  start(t, watched, { maxAgeMs: 0, maxCount: 0, onFault: unexpected, roundMs: 1 }).close();
  await new Promise((resolve) => setTimeout(resolve, 10));

  assert.deepEqual(removed, []);
});

function start(
  t: TestContext,
  executions: ExecutionStore,
  options: ConstructorParameters<typeof Retention>[1],
): Retention {
  const retention = new Retention(executions, options);
  t.after(() => retention.close());
  retention.start();
  return retention;
}

/** The store, with an account of what was removed; the first call fails where a fault is given. */
function watch(executions: ExecutionStore, fault?: Error) {
  const removed: number[] = [];
  let nextFault = fault;
  let onRemoved: (() => void) | undefined;
  const prune: ExecutionStore['prune'] = async (bounds) => {
    const thrown = nextFault;
    nextFault = undefined;
    if (thrown !== undefined) throw thrown;
    const count = await executions.prune(bounds);
    removed.push(count);
    onRemoved?.();
    return count;
  };
  const total = () => removed.reduce((sum, count) => sum + count, 0);
  /** Resolves once so many were removed in all, by one round at least. */
  const untilRemoved = async (count: number) => {
    const alive = setInterval(() => undefined, 1_000); // nothing of the store or of retention keeps a process alive
    while (removed.length === 0 || total() < count) await new Promise<void>((resolve) => (onRemoved = resolve));
    clearInterval(alive);
  };
  const pruneKeys: ExecutionStore['pruneKeys'] = (bounds) => executions.pruneKeys(bounds);
  return { watched: { prune, pruneKeys } as ExecutionStore, removed, untilRemoved };
}

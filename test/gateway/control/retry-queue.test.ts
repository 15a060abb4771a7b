import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { nextDueAt } from '../../../gateway/control/attempts.ts';
import { RetryQueue } from '../../../gateway/control/retry-queue.ts';
import type { ExecutionRecord, ExecutionStore } from '../../../gateway/store/store.ts';
import { executionRecord } from '../../support/store-records.ts';

const WINDOW = 1_000;

/** A queue over attempts in memory, with a clock that the test moves. */
function openQueue(t: TestContext, { fault }: { fault?: Error } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const waiting: { record: ExecutionRecord; dueAt: number }[] = [];
  const run: string[] = [];
  const faults: unknown[] = [];
  let nextFault = fault;
  const isDue = (now: number) => waiting.filter(({ dueAt }) => dueAt <= now).sort((a, b) => a.dueAt - b.dueAt);
  const store = {
    listDue: async (now: number, limit: number) => {
      const thrown = nextFault;
      nextFault = undefined;
      if (thrown !== undefined) throw thrown;
      return isDue(now).slice(0, limit).map(({ record }) => record); // prettier-ignore
    },
    nextDueAt: async (after: number) => {
      const later = waiting.map(({ dueAt }) => dueAt).filter((dueAt) => dueAt > after);
      return later.length === 0 ? undefined : Math.min(...later);
    },
  } as Partial<ExecutionStore> as ExecutionStore;
  const queue = new RetryQueue(
    store,
    ({ id }) => run.push(id),
    (cause) => faults.push(cause),
  );
  t.after(() => queue.close());
  const add = (afterMs: number): string => {
    const record = executionRecord();
    waiting.push({ record, dueAt: Date.now() + afterMs });
    return record.id;
  };
  /** An attempt has started and come to its end. */
  const end = (id: string): void => {
    waiting.splice(
      waiting.findIndex(({ record }) => record.id === id),
      1,
    );
    queue.ended(id);
  };
  /** Lets the clock go on, and what it wakes come to rest. */
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };
  return { queue, add, end, pass, run, faults };
}

describe('retry queue', () => {
  test('an attempt runs when it is due, not before, and once', async (t) => {
    const { queue, add, pass, run } = openQueue(t);
    queue.start();
    await pass(0);
    const id = add(5_000);
    queue.expect(Date.now() + 5_000);
    await pass(4_999);
    assert.deepEqual(run, []);
    await pass(1);
    assert.deepEqual(run, [id]);
    await pass(60_000);
    assert.deepEqual(run, [id]);
  });

  test('those that an earlier process left run when they are due', async (t) => {
    const { queue, add, pass, run } = openQueue(t);
    const [later, overdue, soon] = [add(3_000), add(-5_000), add(1_000)];
    queue.start();
    await pass(0);
    assert.deepEqual(run, [overdue]);
    await pass(1_000);
    assert.deepEqual(run, [overdue, soon]);
    await pass(2_000);
    assert.deepEqual(run, [overdue, soon, later]);
  });

  test('what another process puts into the database is found in seconds', async (t) => {
    const { queue, add, pass, run } = openQueue(t);
    queue.start();
    await pass(0);
    const id = add(0);
    await pass(10_000);
    assert.deepEqual(run, [id]);
  });

  test('so many run at a time, the rest as they end', async (t) => {
    const { queue, add, end, pass, run } = openQueue(t);
    const ids = Array.from({ length: WINDOW + 2 }, (_, index) => add(index - 5_000));
    queue.start();
    await pass(0);
    assert.deepEqual(run, ids.slice(0, WINDOW));
    await pass(20_000);
    assert.equal(run.length, WINDOW);
    end(ids[7]!);
    await pass(0);
    assert.deepEqual(run.slice(WINDOW), [ids[WINDOW]]);
    end(ids[0]!);
    end(ids[1]!);
    await pass(0);
    assert.deepEqual(run.slice(WINDOW), ids.slice(WINDOW));
  });

  test('an attempt that ended without a start is looked at again', async (t) => {
    const { queue, add, pass, run } = openQueue(t);
    const id = add(0);
    queue.start();
    await pass(0);
    queue.ended(id);
    await pass(10_000);
    assert.deepEqual(run, [id, id]);
  });

  test('a database that cannot be read is asked again', async (t) => {
    const fault = new Error('the disk is gone');
    const { queue, add, pass, run, faults } = openQueue(t, { fault });
    const id = add(0);
    queue.start();
    await pass(0);
    assert.deepEqual([run, faults], [[], [fault]]);
    await pass(1_000);
    assert.deepEqual(run, [id]);
  });

  test('after its close, and before its start, nothing runs', async (t) => {
    const { queue, add, pass, run } = openQueue(t);
    add(0);
    queue.expect(Date.now());
    await pass(60_000);
    queue.start();
    queue.close();
    queue.expect(Date.now());
    await pass(60_000);
    assert.deepEqual(run, []);
  });
});

describe('pauses between attempts', () => {
  const policies = fc.record({
    maxAttempts: fc.integer({ min: 1, max: 10 }),
    backoffSeconds: fc.double({ min: 0, max: 3_600, noNaN: true }),
    backoffRate: fc.double({ min: 1, max: 10, noNaN: true }),
    maxBackoffSeconds: fc.double({ min: 0, max: 86_400, noNaN: true }),
  });

  test('they grow, are no longer than the longest, and end with the last attempt', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 50 }), (policy, first) => {
        let pauseMs = 0;
        for (let attempt = 1; attempt <= policy.maxAttempts; attempt++) {
          const attempts = { number: first + attempt - 1, first, policy, dueAt: null };
          const dueAt = nextDueAt(attempts, 'failed', 1_000);
          assert.equal(dueAt === undefined, attempt === policy.maxAttempts);
          if (dueAt === undefined) return;
          assert.ok(Number.isInteger(dueAt) && dueAt - 1_000 >= pauseMs);
          assert.ok(dueAt - 1_000 <= Math.round(policy.maxBackoffSeconds * 1_000));
          pauseMs = dueAt - 1_000;
        }
      }),
    );
  });

  test('they are those of the policy', () => {
    const policy = { maxAttempts: 6, backoffSeconds: 2, backoffRate: 3, maxBackoffSeconds: 50 };
    const pauses = [1, 2, 3, 4, 5, 6].map((number) => nextDueAt({ number, first: 1, policy, dueAt: null }, 'error', 0));
    assert.deepEqual(pauses, [2_000, 6_000, 18_000, 50_000, 50_000, undefined]);
  });

  test('a success, and an execution without a policy, has no next attempt', () => {
    const policy = { maxAttempts: 6, backoffSeconds: 2, backoffRate: 3, maxBackoffSeconds: 50 };
    const attempts = { number: 1, first: 1, policy, dueAt: null };
    assert.equal(nextDueAt(attempts, 'success', 0), undefined);
    assert.equal(nextDueAt({ ...attempts, policy: null }, 'failed', 0), undefined);
    assert.equal(nextDueAt(null, 'failed', 0), undefined);
  });
});

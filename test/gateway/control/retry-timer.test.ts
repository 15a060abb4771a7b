import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { nextDueAt } from '../../../gateway/control/attempts.ts';
import { RetryTimer } from '../../../gateway/control/retry-timer.ts';
import type { ExecutionRecord, ExecutionStore } from '../../../gateway/store/store.ts';
import { executionRecord } from '../../support/store-records.ts';

/** A timer over attempts in memory, with a clock that the test moves. */
function openTimer(t: TestContext, { fault }: { fault?: Error } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  let waiting: { record: ExecutionRecord; dueAt: number }[] = [];
  const due: string[] = [];
  const faults: unknown[] = [];
  let nextFault = fault;
  const store: Pick<ExecutionStore, 'takeDue' | 'nextDueAt'> = {
    takeDue: async (now, limit) => {
      const thrown = nextFault;
      nextFault = undefined;
      if (thrown !== undefined) throw thrown;
      const isDue = waiting.filter(({ dueAt }) => dueAt <= now).sort((a, b) => a.dueAt - b.dueAt);
      const taken = isDue.slice(0, limit);
      waiting = waiting.filter((attempt) => !taken.includes(attempt));
      return taken.map(({ record }) => record);
    },
    nextDueAt: async (after) => {
      const later = waiting.map(({ dueAt }) => dueAt).filter((dueAt) => dueAt > after);
      return later.length === 0 ? undefined : Math.min(...later);
    },
  };
  const timer = new RetryTimer(
    store,
    ({ id }) => due.push(id),
    (cause) => faults.push(cause),
  );
  t.after(() => timer.close());
  const add = (afterMs: number): string => {
    const record = executionRecord();
    waiting.push({ record, dueAt: Date.now() + afterMs });
    return record.id;
  };
  /** Lets the clock go on, and what it wakes come to rest. */
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };
  return { timer, add, pass, due, faults };
}

describe('retry timer', () => {
  test('an attempt is told when it is due, not before, and once', async (t) => {
    const { timer, add, pass, due } = openTimer(t);
    timer.start();
    await pass(0);
    const id = add(5_000);
    timer.expect(Date.now() + 5_000);
    await pass(4_999);
    assert.deepEqual(due, []);
    await pass(1);
    assert.deepEqual(due, [id]);
    await pass(60_000);
    assert.deepEqual(due, [id]);
  });

  test('those that an earlier process left are told when they are due', async (t) => {
    const { timer, add, pass, due } = openTimer(t);
    const [later, overdue, soon] = [add(3_000), add(-5_000), add(1_000)];
    timer.start();
    await pass(0);
    assert.deepEqual(due, [overdue]);
    await pass(1_000);
    assert.deepEqual(due, [overdue, soon]);
    await pass(2_000);
    assert.deepEqual(due, [overdue, soon, later]);
  });

  test('what another process puts into the database is found in seconds', async (t) => {
    const { timer, add, pass, due } = openTimer(t);
    timer.start();
    await pass(0);
    const id = add(0);
    await pass(10_000);
    assert.deepEqual(due, [id]);
  });

  test('many that are due at once are all told, the first due first', async (t) => {
    const { timer, add, pass, due } = openTimer(t);
    const ids = Array.from({ length: 2_500 }, (_, index) => add(index - 5_000));
    timer.start();
    for (let look = 0; look < 4; look++) await pass(0);
    assert.deepEqual(due, ids);
  });

  test('a database that cannot be read is asked again', async (t) => {
    const fault = new Error('the disk is gone');
    const { timer, add, pass, due, faults } = openTimer(t, { fault });
    const id = add(0);
    timer.start();
    await pass(0);
    assert.deepEqual([due, faults], [[], [fault]]);
    await pass(1_000);
    assert.deepEqual(due, [id]);
  });

  test('after its close, and before its start, nothing is told', async (t) => {
    const { timer, add, pass, due } = openTimer(t);
    add(0);
    timer.expect(Date.now());
    await pass(60_000);
    timer.start();
    timer.close();
    timer.expect(Date.now());
    await pass(60_000);
    assert.deepEqual(due, []);
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

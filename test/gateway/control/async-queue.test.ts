import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AsyncQueue } from '../../../gateway/control/async-queue.ts';
import type { ExecutionRecord, ExecutionStore } from '../../../gateway/store/store.ts';
import { attemptNumber, firstAttempt } from '../../../gateway/control/attempts.ts';
import { invocationId } from '../../../gateway/invocation-id.ts';
import { until } from '../../support/fake-agent.ts';
import { executionRecord } from '../../support/store-records.ts';

/** Of one function, more than the queue looks after at a time. */
const MANY = 12_000;
/** What all functions have together. */
const WINDOW = 10_000;
/** The most that one has. */
const HALF = 5_000;
const MIB = 1024 * 1024;
const FIRST = firstAttempt({ maxAttempts: 10, backoffSeconds: 0, backoffRate: 1, maxBackoffSeconds: 0 });

/** A queue over a database that is a set: what is in it has not started, or not come to its end. */
function open() {
  const unstarted = new Set<ExecutionRecord>();
  const running: ExecutionRecord[] = [];
  const ran: string[] = [];
  const faults: unknown[] = [];
  /** Called when executions were looked up, before the queue has them. */
  const hooks = { onLook: (_found: number): void => undefined };
  /** Looks at the database that are still to fail. */
  const toFail = { functions: 0, executions: 0 };
  const failOften = (kind: keyof typeof toFail) => {
    if (toFail[kind]-- > 0) throw new Error('disk');
  };
  const store: Pick<ExecutionStore, 'listUnstarted' | 'listUnstartedFunctions'> = {
    listUnstartedFunctions: async (after = '', limit) => {
      failOften('functions');
      const functionIds = new Set([...unstarted].map(({ functionId }) => functionId));
      return [...functionIds]
        .filter((id) => id > after)
        .toSorted()
        .slice(0, limit);
    },
    listUnstarted: async (of, after, limit) => {
      failOften('executions');
      const rest = [...unstarted].filter(
        ({ id, functionId }) => functionId === of && (after === undefined || id > after),
      );
      rest.sort((one, other) => (one.id < other.id ? -1 : 1));
      const isLarge = (rest[0]?.input?.length ?? 0) > MIB;
      const found = rest.slice(0, isLarge ? 1 : limit); // fewer where they hold much
      hooks.onLook(found.length);
      return found;
    },
  };
  const run = (record: ExecutionRecord) => {
    if (!unstarted.has(record)) return queueMicrotask(() => queue.ended(record.id)); // as the database says at its start
    running.push(record);
    ran.push(invocationId(record.id, record.attempts?.number));
  };
  const queue = new AsyncQueue(store as ExecutionStore, run, (cause) => faults.push(cause));
  const accept = (input: string | null = null, functionId = 'f') => {
    const record = executionRecord({ isSync: false, isStarted: false, input, functionId });
    unstarted.add(record);
    return record;
  };
  const offer = (count: number, functionId: string) => {
    const records = Array.from({ length: count }, () => accept(null, functionId));
    for (const record of records) queue.offer(record);
    return records;
  };
  /** Has a running one wait for its next attempt, which is due; its end was told or is told later. */
  const retry = (record: ExecutionRecord, isEndTold: boolean) => {
    running.splice(running.indexOf(record), 1);
    unstarted.delete(record);
    const next = { ...record, attempts: { ...FIRST, number: attemptNumber(record) + 1 } };
    unstarted.add(next);
    if (isEndTold) queue.ended(record.id);
    queue.readmit(next);
    if (!isEndTold) queue.ended(record.id);
  };
  const endSome = (count: number) => {
    for (const record of running.splice(0, count)) {
      unstarted.delete(record);
      queue.ended(record.id);
    }
  };
  const runningOf = (functionId: string) => running.filter((record) => record.functionId === functionId).length;
  return { queue, unstarted, running, ran, faults, accept, offer, endSome, retry, runningOf, hooks, toFail };
}

test('what was left is run first, then what comes', async () => {
  const { queue, ran, accept } = open();
  const left = [accept(), accept()];
  queue.start();
  await until(() => ran.length === 2);
  const next = accept();
  queue.offer(next);
  assert.deepEqual(
    ran,
    [...left, next].map(({ id }) => id),
  );
});

test('what comes while the rest of before is being read is run once', async () => {
  const { queue, ran, accept } = open();
  const left = accept();
  queue.start();
  const next = accept();
  queue.offer(next); // it may be read too
  await until(() => ran.length === 2);
  queue.offer(next);
  assert.deepEqual(ran, [left.id, next.id]);
});

test('more than the window waits in the database, and each is run once, in order', async () => {
  const { queue, running, ran, accept, endSome } = open();
  queue.start();
  await new Promise(setImmediate);
  const accepted = Array.from({ length: MANY }, () => accept());
  for (const record of accepted) queue.offer(record);
  assert.equal(ran.length, HALF);
  while (ran.length < MANY) {
    endSome(1_000);
    await new Promise(setImmediate);
    assert.ok(running.length <= HALF);
  }
  assert.deepEqual(
    ran,
    accepted.map(({ id }) => id),
  );
  endSome(running.length);
  await new Promise(setImmediate);
  const next = accept();
  queue.offer(next);
  assert.equal(ran.at(-1), next.id, 'it keeps up again');
  assert.equal(queue.openRuns, 1);
});

test('what comes while the database has nothing more, and there is no room for it, is run later', async () => {
  const { queue, running, ran, accept, offer, endSome, hooks } = open();
  queue.start();
  await new Promise(setImmediate);
  offer(HALF + 1, 'a');
  let late: ExecutionRecord | undefined;
  hooks.onLook = (found) => {
    if (found > 0 || late !== undefined) return;
    offer(HALF, 'b');
    late = accept(null, 'a');
    queue.offer(late);
  };
  endSome(HALF / 2);
  await until(() => late !== undefined);
  assert.ok(!ran.includes(late!.id));
  while (running.length > 0) {
    endSome(1_000);
    await new Promise(setImmediate);
  }
  assert.ok(ran.includes(late!.id));
});

test('inputs that hold much wait in the database, a few at a time in memory', async () => {
  const { queue, running, ran, accept, endSome } = open();
  queue.start();
  await new Promise(setImmediate);
  const input = 'x'.repeat(20 * MIB);
  const accepted = Array.from({ length: 20 }, () => accept(input));
  for (const record of accepted) queue.offer(record);
  while (ran.length < accepted.length) {
    assert.ok(running.length * 20 <= 64 + 20, `${running.length} at a time`);
    endSome(1);
    await new Promise(setImmediate);
  }
  assert.deepEqual(
    ran,
    accepted.map(({ id }) => id),
  );
});

test('a function whose share is full leaves room for others, as much as it has itself', async () => {
  const { queue, offer, runningOf } = open();
  queue.start();
  await new Promise(setImmediate);
  offer(MANY, 'a');
  offer(MANY, 'b');
  offer(MANY, 'c');
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => runningOf(id)),
    [HALF, HALF / 2, HALF / 4],
  );
  offer(1, 'd');
  assert.equal(runningOf('d'), 1);
});

test('shares even out as runs end, and what each function has is run once and in order', async () => {
  const { queue, running, ran, offer, endSome } = open();
  queue.start();
  await new Promise(setImmediate);
  const all = ['a', 'b', 'c'].map((id) => offer(MANY, id));
  while (ran.length < 3 * MANY) {
    endSome(500);
    await new Promise(setImmediate);
    assert.ok(running.length < WINDOW);
  }
  const places = new Map(ran.map((id, at) => [id, at]));
  assert.equal(places.size, 3 * MANY);
  for (const records of all) {
    const own = records.map(({ id }) => places.get(id)!);
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
    );
  }
});

test('with more functions than the window has room, each is run in the end', async () => {
  const { queue, running, ran, offer, accept, endSome } = open();
  queue.start();
  await new Promise(setImmediate);
  for (let at = 0; at < WINDOW; at++) queue.offer(accept(null, `f${at}`));
  assert.equal(running.length, WINDOW);
  const late = ['x', 'y', 'z'].flatMap((id) => offer(2, id));
  await new Promise(setImmediate);
  assert.equal(running.length, WINDOW);
  for (const _ of late) {
    endSome(1);
    await new Promise(setImmediate);
  }
  endSome(WINDOW);
  await until(() => ran.length === WINDOW + late.length);
  assert.equal(new Set(ran).size, ran.length);
});

test('a database that cannot be read is tried again', async () => {
  const { queue, ran, faults, accept, toFail } = open();
  Object.assign(toFail, { functions: 1, executions: 1 });
  accept();
  queue.start();
  await until(() => ran.length === 1);
  assert.equal(faults.length, 2);
});

test('an attempt that is due before the end of the one before is told runs after it', async () => {
  const { queue, ran, running, offer, retry } = open();
  queue.start();
  await new Promise(setImmediate);
  const [record] = offer(1, 'f');
  retry(record!, false);
  await new Promise(setImmediate);
  assert.deepEqual(ran, [record!.id, `${record!.id}/2`]);
  retry(running[0]!, true);
  assert.equal(ran.at(-1), `${record!.id}/3`);
});

test('an attempt that is due while its function has no room runs when it has', async () => {
  const { queue, ran, offer, endSome, retry } = open();
  queue.start();
  await new Promise(setImmediate);
  const [first] = offer(MANY, 'f');
  retry(first!, true);
  assert.equal(ran.length, HALF);
  endSome(HALF);
  await new Promise(setImmediate);
  assert.equal(ran[HALF], `${first!.id}/2`, 'it is older than those that wait');
});

/** What happens to a queue: executions come, end, are tried again, are taken over, or a turn of the event loop ends. */
const step = fc.record({
  kind: fc.constantFrom('come', 'end', 'retry', 'take over', 'turn'),
  count: fc.nat(2_000),
  functionId: fc.constantFrom('a', 'b', 'c'),
});

test('whatever comes, ends, is tried again and is taken over, each attempt is run once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { size: '+1' }), async (steps) => {
      const { queue, unstarted, running, ran, accept, offer, endSome, retry } = open();
      const theirs = Array.from({ length: 200 }, (_, at) => accept(null, 'abcd'[at % 4]));
      unstarted.clear(); // another gateway looks after them
      let count = 0;
      queue.start();
      for (const { kind, count: some, functionId } of steps) {
        if (kind === 'turn') await new Promise(setImmediate);
        if (kind === 'end') endSome(some);
        if (kind === 'come') count += offer(some, functionId).length;
        const again = kind === 'retry' ? running.slice(0, some % 50) : [];
        for (const record of again) retry(record, some % 2 === 0);
        count += again.length;
        if (kind !== 'take over') continue;
        const taken = theirs.splice(0, some % 100);
        for (const record of taken) unstarted.add(record);
        count += taken.length;
        queue.rewind();
      }
      for (let turns = 0; ran.length < count; turns++) {
        assert.ok(turns < 1_000, `${ran.length} of ${count} were run`);
        await new Promise(setImmediate);
        endSome(2_000);
      }
      while (running.length > 0) endSome(count);
      await new Promise(setImmediate);
      assert.equal(new Set(ran).size, count);
      assert.deepEqual([ran.length, unstarted.size, queue.openRuns], [count, 0, 0]);
    }),
    { numRuns: 50 },
  );
});

test('a closed queue runs nothing more', async () => {
  const { queue, ran, accept } = open();
  accept();
  queue.start();
  queue.close();
  queue.offer(accept());
  await new Promise(setImmediate);
  assert.deepEqual(ran, []);
});

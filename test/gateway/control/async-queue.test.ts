import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AsyncQueue } from '../../../gateway/control/async-queue.ts';
import type { ExecutionRecord, ExecutionStore } from '../../../gateway/store/store.ts';
import { until } from '../../support/fake-agent.ts';
import { executionRecord } from '../../support/store-records.ts';

/** More than the queue looks after at a time. */
const MANY = 12_000;
const WINDOW = 5_000;
const MIB = 1024 * 1024;

/** A queue over a database that is an array: what is in it has not started. */
function open() {
  const unstarted: ExecutionRecord[] = [];
  const running: ExecutionRecord[] = [];
  const ran: string[] = [];
  const faults: unknown[] = [];
  let brokenReads = 0;
  const store: Pick<ExecutionStore, 'listUnstarted'> = {
    listUnstarted: async (after, limit) => {
      if (brokenReads > 0) {
        brokenReads--;
        throw new Error('disk');
      }
      const rest = unstarted.filter(({ id }) => after === undefined || id > after);
      const isLarge = (rest[0]?.input?.length ?? 0) > MIB;
      return rest.slice(0, isLarge ? 1 : limit); // fewer where they hold much
    },
  };
  const run = (record: ExecutionRecord) => {
    unstarted.splice(unstarted.indexOf(record), 1);
    running.push(record);
    ran.push(record.id);
  };
  const queue = new AsyncQueue(store as ExecutionStore, run, (cause) => faults.push(cause));
  const accept = (input: string | null = null) => {
    const record = executionRecord({ isSync: false, isStarted: false, input });
    unstarted.push(record);
    return record;
  };
  const endSome = (count: number) => {
    for (const { id } of running.splice(0, count)) queue.ended(id);
  };
  const breakReads = (count: number) => (brokenReads = count);
  return { queue, unstarted, running, ran, faults, accept, endSome, breakReads };
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
  assert.equal(ran.length, WINDOW);
  while (ran.length < MANY) {
    endSome(1_000);
    await new Promise(setImmediate);
    assert.ok(running.length <= WINDOW);
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

test('a database that cannot be read is tried again', async () => {
  const { queue, ran, faults, accept, breakReads } = open();
  breakReads(1);
  accept();
  queue.start();
  await until(() => ran.length === 1);
  assert.equal(faults.length, 1);
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

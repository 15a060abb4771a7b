import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { AsyncQueue } from '../../../gateway/control/async-queue.ts';
import type { ExecutionRecord, Store } from '../../../gateway/store/store.ts';
import { until } from '../../support/fake-agent.ts';
import { executionRecord, success } from '../../support/store-records.ts';
import { openSharedStores } from '../../support/throw-away-store.ts';

const idsOf = (records: readonly { id: string }[]) => records.map(({ id }) => id);
const unstarted = () => executionRecord({ isSync: false, isStarted: false });
/** As the queue has it. */
const WINDOW = 5_000;

async function insert(store: Store, count: number): Promise<ExecutionRecord[]> {
  const records = Array.from({ length: count }, unstarted);
  await Promise.all(records.map((record) => store.executions.insert(record, null)));
  return records;
}

test('executions of another gateway that are taken over run although they are older, and none runs twice', async (t) => {
  const { store, queue, running, end, openOther } = await open(t);
  const other = await openOther();
  const theirs = await insert(other, 4);
  const own = await insert(store, 3);
  queue.start();
  await until(() => running.length === 3);
  await end(own[0]!.id);

  await store.executions.takeOver('other', 100);
  queue.rewind();
  queue.rewind();
  await until(() => running.length === 7);
  const fresh = await insert(store, 1);
  queue.offer(fresh[0]!);

  assert.deepEqual(running, idsOf([...own, ...theirs, ...fresh]));
});

test('a rewind while the queue is full is made up for as runs end', async (t) => {
  const { store, queue, running, end, openOther } = await open(t);
  const theirs = await insert(await openOther(), 10);
  const own = await insert(store, WINDOW + 10);
  queue.start();
  await until(() => running.length === WINDOW);

  await store.executions.takeOver('other', 100);
  queue.rewind();
  for (const id of idsOf(own).slice(0, WINDOW)) await end(id);
  await until(() => running.length === WINDOW + 20);

  assert.deepEqual(new Set(running), new Set(idsOf([...theirs, ...own])));
  assert.equal(running.length, new Set(running).size);
});

async function open(t: TestContext) {
  const openStore = openSharedStores(t);
  const store = await openStore('own');
  const running: string[] = [];
  const queue = new AsyncQueue(
    store.executions,
    ({ id }) => running.push(id),
    (cause) => assert.fail(String(cause)),
  );
  t.after(() => queue.close());
  const end = async (id: string) => {
    await store.executions.settle(id, success());
    queue.ended(id);
  };
  return { store, queue, running, end, openOther: () => openStore('other') };
}

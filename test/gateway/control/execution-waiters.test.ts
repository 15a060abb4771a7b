import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { openSqliteStore } from '../../../gateway/store/sqlite/sqlite-store.ts';
import { EndWatch } from '../../../gateway/control/end-watch.ts';
import { ExecutionWaiters } from '../../../gateway/control/execution-waiters.ts';
import { Outcome } from '../../../protocol/message.ts';
import { accessOf } from '../../support/access.ts';
import { ExecutionsRig } from '../../support/executions-rig.ts';
import { executionRecord, success } from '../../support/store-records.ts';
import { databasePath, openThrowAwayStore } from '../../support/throw-away-store.ts';

const LONG_MS = 600_000;
const MAX_WAITERS = 1_000;
const access = accessOf('default');
const never = new AbortController().signal;

const unexpected = (cause: unknown) => assert.fail(String(cause));

/** None of the product's own timers does. */
function keepAlive(t: TestContext): void {
  const alive = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(alive));
}

async function openRig(t: TestContext) {
  const rig = await ExecutionsRig.open(t, await openThrowAwayStore(t));
  const { id } = await rig.createLater(await rig.addFunction());
  return { rig, id, invoke: await rig.invoke(0) };
}

/** Waiters over a store, without anybody who runs something. */
async function openWaiters(t: TestContext) {
  const { executions } = await openThrowAwayStore(t);
  const watch = new EndWatch(executions, unexpected);
  const waiters = new ExecutionWaiters(executions, watch);
  keepAlive(t);
  t.after(() => waiters.close());
  const record = executionRecord();
  await executions.insert(record, null);
  return { executions, watch, waiters, record };
}

describe('long poll', () => {
  test('the answer comes when the execution is final', async (t) => {
    const { rig, id, invoke } = await openRig(t);
    const answer = rig.executions.wait(access, id, LONG_MS, never);
    rig.agent.result(invoke, Outcome.Returned, '"done"');
    const { status, output } = await answer;
    assert.deepEqual([status, output], ['success', '"done"']);
  });

  test('it comes at once for one that is final, and for who would not wait', async (t) => {
    const { rig, id, invoke } = await openRig(t);
    assert.equal((await rig.executions.wait(access, id, 0, never)).status, 'running');
    rig.agent.result(invoke);
    await rig.untilRecord(id, ({ status }) => status === 'success');
    assert.equal((await rig.executions.wait(access, id, LONG_MS, never)).status, 'success');
  });

  test('when the time is over it comes with the execution as it is', async (t) => {
    const { rig, id } = await openRig(t);
    assert.equal((await rig.executions.wait(access, id, 20, never)).status, 'running');
  });

  test('it comes for a synchronous execution that lasts', async (t) => {
    const rig = await ExecutionsRig.open(t, await openThrowAwayStore(t));
    const sync = rig.create(await rig.addFunction(), { idempotencyKey: 'so that it has a record' });
    const invoke = await rig.invoke(0);
    const answer = rig.executions.wait(access, invoke.executionId, LONG_MS, never);
    rig.agent.result(invoke);
    assert.equal((await answer).status, 'success');
    await sync;
  });

  test('a client that goes frees its place', async (t) => {
    const { waiters, record, watch } = await openWaiters(t);
    const client = new AbortController();
    const waited = waiters.wait(record.id, LONG_MS, client.signal);
    assert.deepEqual([waiters.count, watch.isWatched], [1, true]);
    client.abort();
    await waited;
    assert.deepEqual([waiters.count, watch.isWatched], [0, false]);
    await waiters.wait(record.id, LONG_MS, client.signal);
  });

  test('a process that ends answers all at once', async (t) => {
    const { rig, id } = await openRig(t);
    const answer = rig.executions.wait(access, id, LONG_MS, never);
    const drained = rig.executions.drain(0);
    assert.equal((await answer).status, 'running');
    assert.equal((await rig.executions.wait(access, id, LONG_MS, never)).status, 'running');
    await drained;
  });

  test('an execution that another process ends is seen', async (t) => {
    const path = databasePath();
    const [one, two] = [
      await openSqliteStore({ path, synchronous: 'normal' }),
      await openSqliteStore({ path, synchronous: 'normal' }),
    ];
    t.after(() => Promise.all([one.close(), two.close()]));
    keepAlive(t);
    const record = executionRecord({ isSync: false });
    await one.executions.insert(record, null);
    const waiters = new ExecutionWaiters(two.executions, new EndWatch(two.executions, unexpected));
    t.after(() => waiters.close());
    const waited = waiters.wait(record.id, LONG_MS);
    await one.executions.settle(record.id, success());
    await waited;
    assert.equal((await two.executions.get(record.id, null))!.status, 'success');
  });

  test('one that was final before anybody watched is seen at once, and one that is deleted too', async (t) => {
    const { executions, waiters, record } = await openWaiters(t);
    await executions.settle(record.id, success());
    await waiters.wait(record.id, LONG_MS);
    await executions.delete(record.id);
    await waiters.wait(record.id, LONG_MS);
  });

  test('a deleted one is not found, and one of another project neither', async (t) => {
    const { rig, id } = await openRig(t);
    await assert.rejects(rig.executions.wait(accessOf('other'), id, LONG_MS, never), { code: 'NOT_FOUND' });
    const answer = rig.executions.wait(access, id, LONG_MS, never);
    await rig.executions.delete(access, id);
    await assert.rejects(answer, { code: 'NOT_FOUND' });
  });

  test('more than so many are refused, until one goes', async (t) => {
    const { waiters, watch, record } = await openWaiters(t);
    const client = new AbortController();
    const first = waiters.wait(record.id, LONG_MS, client.signal);
    const waited = Array.from({ length: MAX_WAITERS - 1 }, () => waiters.wait(record.id, LONG_MS));
    await assert.rejects(waiters.wait(record.id, LONG_MS), { code: 'TOO_MANY_WAITERS', retryAfterSeconds: 1 });
    client.abort();
    await first;
    waited.push(waiters.wait(record.id, LONG_MS));
    watch.tell(record.id, { status: 'failed', log: null, isFinal: false });
    assert.equal(waiters.count, MAX_WAITERS);
    watch.tell(record.id, { status: 'success', log: null, isFinal: true });
    await Promise.all(waited);
    assert.deepEqual([waiters.count, watch.isWatched], [0, false]);
  });
});

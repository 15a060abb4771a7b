import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { NewExecution } from '../../../gateway/control/executions.ts';
import { KEY_LIFE_MS } from '../../../gateway/control/idempotent-calls.ts';
import { openSqliteStore } from '../../../gateway/store/sqlite/sqlite-store.ts';
import { Outcome } from '../../../protocol/message.ts';
import { accessOf } from '../../support/access.ts';
import { collect } from '../../support/collect.ts';
import { ExecutionsRig, type ExecutionsRigOptions } from '../../support/executions-rig.ts';
import { executionRecord } from '../../support/store-records.ts';
import { databasePath, openThrowAwayStore } from '../../support/throw-away-store.ts';

const KEYED: Partial<NewExecution> = { idempotencyKey: 'a-key' };
const LATER: Partial<NewExecution> = { ...KEYED, isSync: false };

async function openRig(t: TestContext, options?: ExecutionsRigOptions): Promise<ExecutionsRig> {
  return ExecutionsRig.open(t, await openThrowAwayStore(t), options);
}

/** A process on a database file that others may use too. */
async function openProcess(t: TestContext, path: string, options?: ExecutionsRigOptions) {
  const store = await openSqliteStore({ path, synchronous: 'normal' });
  t.after(() => store.close());
  return { store, rig: await ExecutionsRig.open(t, store, options) };
}

describe('idempotency keys', () => {
  test('a repeated request gets the same execution, which runs once', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const first = rig.create(functionId, KEYED);
    rig.agent.result(await rig.invoke(0), Outcome.Returned, '"once"');
    const { record, isRepeated, timing } = await first;
    assert.deepEqual([record.output, isRepeated, timing !== undefined], ['"once"', undefined, true]);

    const again = await rig.create(functionId, KEYED);

    assert.deepEqual(again.record, { ...record, updatedAt: again.record.updatedAt });
    assert.equal(again.isRepeated, true);
    assert.equal(rig.agent.invokes.length, 1);
    assert.equal((await rig.store.functions.get(functionId, null))!.count, 1);
  });

  test('one that comes while the first is under way has its answer with it', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const answers = Array.from({ length: 20 }, () => rig.create(functionId, KEYED));
    rig.agent.result(await rig.invoke(0), Outcome.Failed, '"no"');

    const [first, ...others] = await Promise.all(answers);

    assert.equal(first!.record.status, 'failed');
    for (const other of others) assert.deepEqual(other, { record: first!.record, isRepeated: true });
    assert.equal(rig.agent.invokes.length, 1);
  });

  test('an asynchronous one is answered as it is: running, and final later', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const both = await Promise.all([rig.create(functionId, LATER), rig.create(functionId, LATER)]);
    const { id } = both[0].record;
    assert.deepEqual(
      both.map(({ record }) => [record.id, record.status]),
      [
        [id, 'running'],
        [id, 'running'],
      ],
    );
    rig.agent.result(await rig.invoke(0));
    await rig.untilRecord(id, ({ status }) => status === 'success');
    const { record } = await rig.create(functionId, LATER);
    assert.deepEqual([record.id, record.status], [id, 'success']);
    assert.equal(rig.agent.invokes.length, 1);
  });

  test('the same key with another request is refused, whenever it comes', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const others: Partial<NewExecution>[] = [
      { input: '{"x": 1}' },
      { isSync: false },
      { description: 'another' },
      { functionId: await rig.addFunction() },
      { functionVersion: 1 },
      { functionAlias: 'live' },
    ];
    const refused = { code: 'KEY_REUSED', message: /Idempotency-Key was used for another request/ };
    const first = rig.create(functionId, KEYED);
    for (const other of others) await assert.rejects(rig.create(functionId, { ...KEYED, ...other }), refused);
    rig.agent.result(await rig.invoke(0));
    await first;
    for (const other of others) await assert.rejects(rig.create(functionId, { ...KEYED, ...other }), refused);
    assert.equal(rig.agent.invokes.length, 1);
  });

  test('keys of other projects are other keys', async (t) => {
    const rig = await openRig(t);
    const [mine, theirs] = [await rig.addFunction(), await rig.addFunction(null, { projectId: 'other' })];
    const one = await rig.create(mine, LATER, accessOf('default'));
    const two = await rig.create(theirs, LATER, accessOf('other'));
    assert.notEqual(one.record.id, two.record.id);
    assert.deepEqual([two.isRepeated, two.record.projectId], [undefined, 'other']);
  });

  test('after a day a key is free for another execution', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const old = executionRecord({ createdAt: Date.now() - KEY_LIFE_MS - 1, functionId });
    await rig.store.executions.insertOnce(old, { text: 'a-key', fingerprint: 'of something else' }, 0);
    const { record, isRepeated } = await rig.create(functionId, LATER);
    assert.notEqual(record.id, old.id);
    assert.equal(isRepeated, undefined);
    assert.equal((await rig.create(functionId, LATER)).record.id, record.id);
  });

  test('the record with its key is there before anything runs', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const answer = rig.create(functionId, KEYED);
    const invoke = await rig.invoke(0);
    const record = (await rig.store.executions.get(invoke.executionId, null))!;
    assert.deepEqual([record.status, record.isStarted, record.isSync], ['running', true, true]);
    rig.agent.result(invoke);
    await answer;
  });

  test('a run that was refused leaves the key free, for those that waited with it too', async (t) => {
    const rig = await openRig(t, { isAgentAway: true, maxWaitingMs: 1 });
    const functionId = await rig.addFunction();
    const both = [rig.create(functionId, KEYED), rig.create(functionId, KEYED)];
    for (const answer of both) await assert.rejects(answer, { code: 'NO_FREE_WORKER' });
    assert.deepEqual(await collect(rig.store.executions.list({ scope: null, filters: [], limit: 9 })), []);
    assert.equal((await rig.store.functions.get(functionId, null))!.count, 0);

    const again = await rig.create(functionId, LATER); // another request, even
    assert.equal(again.isRepeated, undefined);
  });

  test('a request that is refused before it runs takes no key', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    rig.isRunnable = false;
    await assert.rejects(rig.create(functionId, LATER), { code: 'CONFLICT' });
    rig.isRunnable = true;
    assert.equal((await rig.create(functionId, LATER)).isRepeated, undefined);
    await assert.rejects(rig.create('unknown', { ...LATER, idempotencyKey: 'other' }), { code: 'NOT_FOUND' });
    await rig.executions.drain(0);
    await assert.rejects(rig.create(functionId, LATER), { code: 'SHUTTING_DOWN' });
  });

  test('the same execution comes also when its function is gone or cannot run', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const { record } = await rig.create(functionId, LATER);
    rig.isRunnable = false;
    assert.equal((await rig.create(functionId, LATER)).record.id, record.id);
    await rig.deleteFunction(functionId);
    assert.equal((await rig.create(functionId, LATER)).record.id, record.id);
  });

  test('a key whose execution was deleted is not good for another run', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const { record } = await rig.create(functionId, LATER);
    await rig.executions.delete(accessOf('default'), record.id);
    await assert.rejects(rig.create(functionId, LATER), { code: 'CONFLICT', message: /no longer kept/ });
  });
});

describe('idempotency keys and other processes', () => {
  test('after a restart a request that may have run is answered with what became of it', async (t) => {
    const path = databasePath();
    const { store, rig: before } = await openProcess(t, path);
    const functionId = await before.addFunction();
    const answer = before.create(functionId, KEYED);
    const { executionId } = await before.invoke(0);
    await store.close(); // killed: nothing that follows reaches the file
    before.close();
    await assert.rejects(answer, { code: 'UNAVAILABLE' });

    const { rig: after } = await openProcess(t, path);
    const { record } = await after.create(functionId, KEYED);

    assert.deepEqual([record.id, record.status], [executionId, 'error']);
    assert.equal(after.agent.invokes.length, 0);
  });

  test('an accepted request is the same execution after a restart', async (t) => {
    const path = databasePath();
    const { store, rig: before } = await openProcess(t, path, { isAgentAway: true });
    const functionId = await before.addFunction();
    const { record } = await before.create(functionId, LATER);
    await store.close();
    before.close();

    const { rig: after } = await openProcess(t, path);
    assert.equal((await after.create(functionId, LATER)).record.id, record.id);
    assert.equal((await after.invoke(0)).executionId, record.id);
    assert.equal(after.agent.invokes.length, 1);
  });

  test('a request that another process runs is answered when that has ended', async (t) => {
    const path = databasePath();
    const { rig: one } = await openProcess(t, path, { returnGraceMs: 600_000 });
    const { rig: two } = await openProcess(t, path, { returnGraceMs: 600_000 });
    const functionId = await one.addFunction();
    const first = one.create(functionId, KEYED);
    const invoke = await one.invoke(0);

    const second = two.create(functionId, KEYED);
    await new Promise(setImmediate);
    one.agent.result(invoke, Outcome.Returned, '"of the first"');

    assert.equal((await first).record.output, '"of the first"');
    const { record, isRepeated } = await second;
    assert.deepEqual([record.output, record.id, isRepeated], ['"of the first"', invoke.executionId, true]);
    assert.equal(two.agent.invokes.length, 0);
  });

  test('of two processes that get a request together one runs it', async (t) => {
    const path = databasePath();
    const rigs: ExecutionsRig[] = [];
    for (let count = 0; count < 2; count++) rigs.push((await openProcess(t, path, { returnGraceMs: 600_000 })).rig);
    const functionId = await rigs[0]!.addFunction();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => rigs[index % 2]!.create(functionId, LATER)),
    );
    assert.equal(new Set(answers.map(({ record }) => record.id)).size, 1);
    assert.equal(answers.filter(({ isRepeated }) => isRepeated !== true).length, 1);
  });
});

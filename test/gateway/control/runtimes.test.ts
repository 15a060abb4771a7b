import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ANYBODY, type Access } from '../../../gateway/auth/access.ts';
import { Runtimes, type NewRuntime, type PoolCapacity } from '../../../gateway/control/runtimes.ts';
import { QinlingError, invalidInput } from '../../../gateway/errors.ts';
import type { RuntimeRecord, Store } from '../../../gateway/store/store.ts';
import { collect } from '../../support/collect.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { FakeOrchestrator } from '../../support/fake-orchestrator.ts';
import { functionRecord, runtimeRecord } from '../../support/store-records.ts';
import { openThrowAwayStore } from '../../support/throw-away-store.ts';

const OF_A = accessOf('a');
const OF_B = accessOf('b');
const REQUEST: NewRuntime = { name: 'python', image: 'one', description: null, isPublic: true, isTrusted: true };

interface RigOptions {
  readonly timeoutMs?: number;
  readonly store?: Store;
}

async function rig(t: TestContext, { timeoutMs = 60_000, store: given }: RigOptions = {}) {
  const store = given ?? (await openThrowAwayStore(t));
  const orchestrator = new FakeOrchestrator();
  const faults: string[] = [];
  const usage = { bound: new Set<string>(), capacities: new Map<string, PoolCapacity>() };
  const poolUsage = {
    capacity: (poolName: string) => usage.capacities.get(poolName),
    hasBoundWorkers: (runtimeId: string) => usage.bound.has(runtimeId),
  };
  const onFault = (_cause: unknown, message: string) => void faults.push(message);
  const runtimes = new Runtimes(store, orchestrator, poolUsage, { timeoutMs, onFault });
  t.after(() => runtimes.close());
  /** A runtime whose pool is there. */
  const available = async (request = REQUEST, caller = ANYBODY) => {
    const { id } = await runtimes.create(caller, request);
    (await orchestrator.next()).succeed();
    return until(runtimes, id, (record) => record?.status === 'available');
  };
  return { store, orchestrator, faults, usage, runtimes, available };
}

/** Waits turn by turn for what the background brings about. */
async function until(
  runtimes: Runtimes,
  id: string,
  isAsWanted: (record: RuntimeRecord | undefined) => boolean,
): Promise<RuntimeRecord> {
  while (!isAsWanted(runtimes.find(id))) await new Promise(setImmediate);
  return runtimes.find(id)!;
}

function rejects(promise: Promise<unknown>, code: string, message: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof QinlingError, String(error));
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  });
}

test('a new runtime is creating until its pool is there, then available', async (t) => {
  const { runtimes, orchestrator, store } = await rig(t);
  const record = await runtimes.create(ANYBODY, { ...REQUEST, isTrusted: false });

  assert.equal(record.status, 'creating');
  assert.equal(record.projectId, 'default');
  assert.deepEqual(await store.runtimes.get(record.id), record);
  const { action, pool, succeed } = await orchestrator.next();
  assert.deepEqual([action, pool], ['create', { runtimeId: record.id, image: 'one', isTrusted: false }]);
  assert.equal(runtimes.find(record.id)?.status, 'creating');
  succeed();

  const after = await until(runtimes, record.id, (now) => now?.status !== 'creating');
  assert.equal(after.status, 'available');
  assert.deepEqual(await store.runtimes.get(record.id), after);
});

test('a pool that cannot be made leaves the runtime in error, with the reason', async (t) => {
  const { runtimes, orchestrator, faults } = await rig(t);
  const reasons = [];
  for (const error of [invalidInput('No such image.'), new Error('secret inside')]) {
    const { id } = await runtimes.create(ANYBODY, REQUEST);
    (await orchestrator.next()).fail(error);
    reasons.push((await until(runtimes, id, (now) => now?.status === 'error')).statusReason);
  }
  assert.deepEqual(reasons, ['No such image.', 'The pool could not be made.']);
  assert.equal(faults.length, 1);
});

test('a pool that takes too long is an error', async (t) => {
  const { runtimes } = await rig(t, { timeoutMs: 1 });
  const { id } = await runtimes.create(ANYBODY, REQUEST);
  await until(runtimes, id, (now) => now?.status === 'error');
});

test('public runtimes are seen by every project, private ones by their own and by administrators', async (t) => {
  const { runtimes, available } = await rig(t);
  const open = await available(REQUEST, OF_A);
  const closed = await available({ ...REQUEST, isPublic: false }, OF_A);

  const ids = async (caller: Access) => new Set((await collect(runtimes.list(caller, {}))).map(({ id }) => id));
  assert.deepEqual(await ids(OF_A), new Set([open.id, closed.id]));
  assert.deepEqual(await ids(OF_B), new Set([open.id]));
  assert.equal(runtimes.get(OF_B, open.id).id, open.id);
  assert.equal(runtimes.get(adminOf('b'), closed.id).id, closed.id);
  assert.throws(() => runtimes.get(OF_B, closed.id), { message: `Runtime not found [id=${closed.id}]` });
  await rejects(runtimes.update(OF_B, closed.id, { name: 'x' }), 'NOT_FOUND', `Runtime not found [id=${closed.id}]`);
  await rejects(runtimes.delete(OF_B, closed.id), 'NOT_FOUND', `Runtime not found [id=${closed.id}]`);
});

test('a name or a description changes at once, and nothing else does', async (t) => {
  const { runtimes, available, store } = await rig(t);
  const record = await available();

  const changed = await runtimes.update(ANYBODY, record.id, { name: 'new', description: '', image: 'one' });

  assert.deepEqual(changed, { ...record, name: 'new', description: '', updatedAt: changed.updatedAt });
  assert.deepEqual(await store.runtimes.get(record.id), changed);
  assert.deepEqual(await runtimes.update(ANYBODY, record.id, { name: 'new' }), changed);
  assert.deepEqual(await runtimes.update(ANYBODY, record.id, {}), changed);
});

test('a new image is upgrading at once, and available when its pool is there', async (t) => {
  const { runtimes, available, orchestrator } = await rig(t);
  const { id } = await available();

  const upgrading = await runtimes.update(ANYBODY, id, { image: 'two', name: 'new' });

  assert.deepEqual([upgrading.status, upgrading.image, upgrading.name], ['upgrading', 'two', 'new']);
  await rejects(runtimes.update(ANYBODY, id, { image: 'two' }), 'CONFLICT', `Runtime ${id} is not available.`);
  const { action, pool, succeed } = await orchestrator.next();
  assert.deepEqual([action, pool.image], ['update', 'two']);
  succeed();
  assert.equal((await until(runtimes, id, (now) => now?.status === 'available')).image, 'two');
});

test('an upgrade that fails goes back to the old image, and to error where even that fails', async (t) => {
  const { runtimes, available, orchestrator, faults } = await rig(t);
  const { id } = await available();

  await runtimes.update(ANYBODY, id, { image: 'two' });
  (await orchestrator.next()).fail(invalidInput('No such image.'));
  const back = await orchestrator.next();
  assert.deepEqual([back.action, back.pool.image], ['update', 'one']);
  back.succeed();
  const rolledBack = await until(runtimes, id, (now) => now?.status === 'available');
  assert.deepEqual([rolledBack.image, rolledBack.statusReason], ['one', 'No such image.']);

  const again = await runtimes.update(ANYBODY, id, { image: 'three' });
  assert.equal(again.statusReason, null);
  (await orchestrator.next()).fail(invalidInput('No such image.'));
  (await orchestrator.next()).fail(new Error('gone too'));
  assert.equal((await until(runtimes, id, (now) => now?.status === 'error')).statusReason, 'No such image.');
  assert.deepEqual(faults, [`runtime ${id} could not be rolled back`]);
});

test('the image stays while functions hold workers, or the runtime is not available', async (t) => {
  const { runtimes, available, orchestrator, usage } = await rig(t);
  const { id } = await available();
  usage.bound.add(id);
  await rejects(
    runtimes.update(ANYBODY, id, { image: 'two' }),
    'IN_USE',
    `Runtime ${id} is still in use by functions.`,
  );
  assert.equal(runtimes.find(id)?.status, 'available');

  const { id: other } = await runtimes.create(ANYBODY, REQUEST);
  await orchestrator.next();
  for (const image of ['one', 'two']) {
    await rejects(runtimes.update(ANYBODY, other, { image }), 'CONFLICT', `Runtime ${other} is not available.`);
  }
});

test('a deleted runtime is deleting until its pool is gone', async (t) => {
  const { runtimes, available, orchestrator, store } = await rig(t);
  const { id } = await available();

  await runtimes.delete(ANYBODY, id);

  assert.equal(runtimes.find(id)?.status, 'deleting');
  const { action, succeed } = await orchestrator.next();
  assert.equal(action, 'delete');
  succeed();
  await until(runtimes, id, (now) => now === undefined);
  assert.equal(await store.runtimes.get(id), undefined);
  await rejects(runtimes.delete(ANYBODY, id), 'NOT_FOUND', `Runtime not found [id=${id}]`);
});

test('a runtime with a function of any project stays', async (t) => {
  const { runtimes, available, store } = await rig(t);
  const { id } = await available();
  await store.functions.insert(functionRecord({ runtimeId: id, projectId: 'other' }));

  await rejects(runtimes.delete(ANYBODY, id), 'IN_USE', `Runtime ${id} is still in use.`);

  assert.equal(runtimes.find(id)?.status, 'available');
});

test('a function that comes in while its runtime is deleted keeps it', async (t) => {
  const { available, runtimes, store } = await rig(t);
  const { id } = await available();
  const update = store.runtimes.update.bind(store.runtimes);
  // the last moment: the record changes to deleting, and the function is there
  t.mock.method(store.runtimes, 'update', (runtimeId: string, change: Partial<RuntimeRecord>) => {
    if (change.status === 'deleting') void store.functions.insert(functionRecord({ runtimeId: id }));
    return update(runtimeId, change);
  });

  await rejects(runtimes.delete(ANYBODY, id), 'IN_USE', `Runtime ${id} is still in use.`);

  assert.equal(runtimes.find(id)?.status, 'available');
  assert.equal((await store.runtimes.get(id))?.status, 'available');
});

test('a delete ends what goes on for the pool before the pool goes', async (t) => {
  const { runtimes, orchestrator, faults } = await rig(t);
  const { id } = await runtimes.create(ANYBODY, REQUEST);
  const creation = await orchestrator.next();

  await runtimes.delete(ANYBODY, id);

  assert.ok(creation.signal?.aborted);
  const removal = await orchestrator.next();
  assert.equal(removal.action, 'delete');
  removal.succeed();
  await until(runtimes, id, (now) => now === undefined);
  assert.deepEqual(faults, []);
});

test('a pool that cannot be removed is tried again by the next delete', async (t) => {
  const { runtimes, available, orchestrator, faults } = await rig(t);
  const { id } = await available();
  await runtimes.delete(ANYBODY, id);
  (await orchestrator.next()).fail(new Error('not now'));
  while (faults.length === 0) await new Promise(setImmediate);

  await runtimes.delete(ANYBODY, id);
  (await orchestrator.next()).succeed();

  await until(runtimes, id, (now) => now === undefined);
});

test('pool figures come from the workers that serve the runtime', async (t) => {
  const { runtimes, available, usage } = await rig(t);
  const { id } = await available();
  assert.throws(() => runtimes.pool(ANYBODY, id), { code: 'NOT_FOUND', message: 'Runtime not found' });
  usage.capacities.set('pool-of-one', { total: 3, available: 2 });

  assert.deepEqual(runtimes.pool(ANYBODY, id), { name: id, capacity: { total: 3, available: 2 } });

  const { id: odd } = await runtimes.create(ANYBODY, { ...REQUEST, image: 'unknown' });
  assert.throws(() => runtimes.pool(ANYBODY, odd), { code: 'NOT_FOUND', message: 'Runtime not found' });
});

test('what a gateway left under way is taken up by the next', async (t) => {
  const store = await openThrowAwayStore(t);
  const records = (['creating', 'upgrading', 'deleting', 'available', 'error'] as const).map((status) =>
    runtimeRecord({ status, image: status }),
  );
  for (const record of records) await store.runtimes.insert(record);
  const { runtimes, orchestrator } = await rig(t, { store });

  await runtimes.start();

  const asked = [await orchestrator.next(), await orchestrator.next(), await orchestrator.next()];
  assert.deepEqual(
    asked.map(({ action, pool }) => [action, pool.image]),
    [
      ['create', 'creating'],
      ['update', 'upgrading'],
      ['delete', 'deleting'],
    ],
  );
  for (const { succeed } of asked) succeed();
  await until(runtimes, records[0]!.id, (now) => now?.status === 'available');
  await until(runtimes, records[1]!.id, (now) => now?.status === 'available');
  await until(runtimes, records[2]!.id, (now) => now === undefined);
  assert.equal(runtimes.count, 4);
  assert.equal(runtimes.find(records[4]!.id)?.status, 'error');
});

test('the end of the gateway leaves what is under way to the next', async (t) => {
  const { runtimes, orchestrator, store, faults } = await rig(t);
  const { id } = await runtimes.create(ANYBODY, REQUEST);
  const { signal } = await orchestrator.next();

  await runtimes.close();

  assert.ok(signal?.aborted);
  assert.equal((await store.runtimes.get(id))?.status, 'creating');
  assert.deepEqual(faults, []);
});

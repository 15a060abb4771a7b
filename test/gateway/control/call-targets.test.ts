import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import type { Named } from '../../../gateway/control/call-targets.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { openCallsRig } from '../../support/calls-rig.ts';
import { request } from '../../support/functions-rig.ts';
import { rejects } from '../../support/rejects.ts';
import { functionRecord } from '../../support/store-records.ts';

const OF_A = accessOf('a');
const OF_B = accessOf('b');
const ADMIN_OF_B = adminOf('b');
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const noFunction = (id: string) => `Function not found [id=${id}]`;

/** Functions, versions and aliases, and how calls find them; `reads` counts what the database is asked for. */
async function openRig(t: TestContext) {
  const rig = await openCallsRig(t);
  const reads = { count: 0 };
  for (const store of [rig.store.functions, rig.store.versions, rig.store.aliases]) {
    const readable = store as { get(...args: unknown[]): Promise<unknown> };
    const get = readable.get.bind(readable);
    t.mock.method(readable, 'get', (...args: unknown[]) => {
      reads.count++;
      return get(...args);
    });
  }
  const named = (given: Partial<Named>): Named => ({ functionVersion: 0, ...given });
  const load = (given: Partial<Named>, access = ANYBODY) => rig.callTargets.load(access, named(given));
  const find = (given: Partial<Named>, access = ANYBODY) => rig.callTargets.find(access, named(given));
  return { ...rig, reads, load, find };
}

test("a function's target is what the function is now, a version's what it was", async (t) => {
  const { create, functions, versions, upload, load, runtimeId } = await openRig(t);
  const record = await create('one');
  const { packageDigest } = await versions.create(ANYBODY, record.id, null);
  const fields = { entry: 'main.other', cpu: 200, memorySize: 67_108_864, timeout: 60 };
  const next = upload({ 'main.py': 'two' });
  const changed = await functions.update(ANYBODY, record.id, request({ ...fields, upload: next }));

  const now = await load({ functionId: record.id });
  const then = await load({ functionId: record.id, functionVersion: 1 });

  const common = { functionId: record.id, projectId: 'default', runtimeId, poolName: 'pool-of-python' };
  assert.deepEqual(now, {
    ...common,
    key: now.key,
    version: 0,
    packageDigest: changed.packageDigest,
    entry: 'main.other',
    cpuMillicores: 200,
    memoryBytes: 67_108_864,
    timeoutMs: 60_000,
    image: null,
    retry: null,
  });
  assert.deepEqual(then, {
    ...common,
    key: then.key,
    version: 1,
    packageDigest,
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 33_554_432,
    timeoutMs: 5_000,
    image: null,
    retry: null,
  });
});

test('versions of the same code and limits have workers of their own', async (t) => {
  const { create, versions, load } = await openRig(t);
  const { id } = await create();
  await versions.create(ANYBODY, id, null);

  const [now, then] = [await load({ functionId: id }), await load({ functionId: id, functionVersion: 1 })];

  assert.equal(now.packageDigest, then.packageDigest);
  assert.notEqual(now.key, then.key);
});

test('an alias leads to what it points at, and to another place when it was moved', async (t) => {
  const { create, versions, aliases, load, find } = await openRig(t);
  const { id } = await create();
  await versions.create(ANYBODY, id, null);
  await aliases.create(ANYBODY, { name: 'live', functionId: id, functionVersion: 0, description: null });

  assert.equal((await load({ functionAlias: 'live', functionId: UNKNOWN, functionVersion: 9 })).version, 0);
  await aliases.update(ANYBODY, 'live', { functionId: undefined, functionVersion: 1, description: undefined });

  assert.equal(find({ functionAlias: 'live' }), undefined);
  assert.equal((await load({ functionAlias: 'live' })).version, 1);
  assert.equal(find({ functionAlias: 'live' })?.version, 1);
});

test('what was called before is found without a look at the database', async (t) => {
  const { create, versions, aliases, load, find, reads } = await openRig(t);
  const { id } = await create('x', {}, OF_A);
  await versions.create(OF_A, id, null);
  await aliases.create(OF_A, { name: 'live', functionId: id, functionVersion: 1, description: null });
  const ways = [{ functionId: id }, { functionId: id, functionVersion: 1 }, { functionAlias: 'live' }];
  for (const named of ways) assert.equal(find(named, OF_A), undefined);
  for (const named of ways) await load(named, OF_A);
  reads.count = 0;

  for (const named of ways) assert.equal(find(named, OF_A)?.functionId, id);

  assert.equal(reads.count, 0);
});

test('what changed, or is gone, is not found any more', async (t) => {
  const { create, versions, targets, load, find } = await openRig(t);
  const { id } = await create();
  await versions.create(ANYBODY, id, null);
  const both = [{ functionId: id }, { functionId: id, functionVersion: 1 }];
  for (const named of both) await load(named);

  targets.drop(id, 1);
  assert.deepEqual([find(both[0]!)?.version, find(both[1]!)], [0, undefined]);
  await load(both[1]!);
  targets.drop(id, 0);
  assert.deepEqual([find(both[0]!), find(both[1]!)?.version], [undefined, 1]);
});

test("another project's function is not there, whatever is wrong with it, also when it is in memory", async (t) => {
  const { create, versions, load, find, store } = await openRig(t);
  const { id } = await create('x', {}, OF_A);
  await versions.create(OF_A, id, null);
  for (const functionVersion of [0, 1]) await load({ functionId: id, functionVersion }, OF_A);
  const broken = functionRecord({ projectId: 'a', packageDigest: null });
  await store.functions.insert(broken);

  for (const functionVersion of [0, 1, 2]) {
    assert.equal(find({ functionId: id, functionVersion }, OF_B), undefined);
    await rejects(load({ functionId: id, functionVersion }, OF_B), 'NOT_FOUND', noFunction(id));
  }
  await rejects(load({ functionId: broken.id }, OF_B), 'NOT_FOUND', noFunction(broken.id));
  assert.equal((await load({ functionId: id, functionVersion: 1 }, ADMIN_OF_B)).projectId, 'a');
  assert.equal(find({ functionId: id, functionVersion: 1 }, ADMIN_OF_B)?.projectId, 'a');
});

test("an alias is that of the caller's project, never of another one with the name", async (t) => {
  const { create, aliases, load, find } = await openRig(t);
  const [ofA, ofB] = [await create('a', {}, OF_A), await create('b', {}, OF_B)];
  const alias = (functionId: string, name: string) => ({ name, functionId, functionVersion: 0, description: null });
  await aliases.create(OF_A, alias(ofA.id, 'live'));
  await aliases.create(OF_B, alias(ofB.id, 'live'));
  await aliases.create(ADMIN_OF_B, alias(ofA.id, 'theirs'));

  assert.equal((await load({ functionAlias: 'live' }, OF_A)).functionId, ofA.id);
  assert.equal((await load({ functionAlias: 'live' }, OF_B)).functionId, ofB.id);
  assert.equal(find({ functionAlias: 'live' }, OF_A)?.functionId, ofA.id);
  assert.equal(find({ functionAlias: 'live' }, ADMIN_OF_B)?.functionId, ofB.id);
  const missing = (name: string) => `FunctionAlias not found [name=${name}]`;
  await rejects(load({ functionAlias: 'live' }, adminOf('c')), 'NOT_FOUND', missing('live'));
  await rejects(load({ functionAlias: 'theirs' }, OF_B), 'NOT_FOUND', noFunction(ofA.id));
  assert.equal((await load({ functionAlias: 'theirs' }, ADMIN_OF_B)).functionId, ofA.id);
  assert.equal(find({ functionAlias: 'theirs' }, OF_B), undefined);
});

test('what is not there is told by its name', async (t) => {
  const { create, load, store } = await openRig(t);
  const { id } = await create();
  const swift = functionRecord({ code: { source: 'swift', swift: {} }, packageDigest: null });
  await store.functions.insert(swift);

  await rejects(load({}), 'INVALID_INPUT', 'Either function_alias or function_id must be provided.');
  await rejects(load({ functionId: UNKNOWN }), 'NOT_FOUND', noFunction(UNKNOWN));
  await rejects(load({ functionId: UNKNOWN, functionVersion: 1 }), 'NOT_FOUND', noFunction(UNKNOWN));
  const noVersion = `FunctionVersion not found [function_id=${id}, version_number=1]`;
  await rejects(load({ functionId: id, functionVersion: 1 }), 'NOT_FOUND', noVersion);
  await rejects(load({ functionAlias: 'x' }), 'NOT_FOUND', 'FunctionAlias not found [name=x]');
  const noSwift = 'Can not specify version for swift type function.';
  await rejects(load({ functionId: swift.id, functionVersion: 1 }), 'INVALID_INPUT', noSwift);
});

test('an alias whose function is gone tells that', async (t) => {
  const { load, store } = await openRig(t);
  await store.aliases.insert({
    id: UNKNOWN,
    projectId: 'default',
    name: 'left',
    functionId: UNKNOWN,
    functionVersion: 0,
    description: null,
    createdAt: 1,
    updatedAt: null,
  });

  await rejects(load({ functionAlias: 'left' }), 'NOT_FOUND', noFunction(UNKNOWN));
});

test('a target does not run while its runtime is not available', async (t) => {
  const { create, load, targets, runtimes, runtimeId, orchestrator } = await openRig(t);
  const { id } = await create();
  const target = await load({ functionId: id });
  assert.equal(targets.whyNotRunnable(target), undefined);

  orchestrator.isWilling = false;
  await runtimes.update(ANYBODY, runtimeId, { image: 'other' });

  const refusal = targets.whyNotRunnable(target);
  assert.deepEqual([refusal?.code, refusal?.message], ['CONFLICT', `Runtime ${runtimeId} is not available.`]);
  (await orchestrator.next()).succeed();
});

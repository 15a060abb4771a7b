import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY, ownOnly, type Access } from '../../../gateway/auth/access.ts';
import type { NewAlias } from '../../../gateway/control/aliases.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { collect } from '../../support/collect.ts';
import { openFunctionsRig } from '../../support/functions-rig.ts';
import { rejects } from '../../support/rejects.ts';

const OF_A = accessOf('a');
const OF_B = accessOf('b');
const ADMIN_OF_B = adminOf('b');
const ADMIN_OF_C = adminOf('c');
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const SAME_NAME = `Duplicate entry for function_aliases: ['project_id', 'name']`;
const SAME_TARGET = `Duplicate entry for function_aliases: ['project_id', 'function_id', 'function_version']`;

const noAlias = (name: string) => `FunctionAlias not found [name=${name}]`;
const noFunction = (id: string) => `Function not found [id=${id}]`;
const noVersion = (id: string, number: number) =>
  `FunctionVersion not found [function_id=${id}, version_number=${number}]`;

function alias(name: string, functionId: string, change: Partial<NewAlias> = {}): NewAlias {
  return { name, functionId, functionVersion: 0, description: null, ...change };
}

const nothing = { functionId: undefined, functionVersion: undefined, description: undefined };

test('an alias belongs to the project of who made it, and is found by its name', async (t) => {
  const { create, aliases } = await openFunctionsRig(t);
  const { id } = await create('x', {}, OF_A);

  const record = await aliases.create(OF_A, alias('live', id, { description: 'd' }));

  assert.deepEqual(record, {
    id: record.id,
    projectId: 'a',
    name: 'live',
    functionId: id,
    functionVersion: 0,
    description: 'd',
    createdAt: record.createdAt,
    updatedAt: null,
  });
  assert.deepEqual(await aliases.get(OF_A, 'live'), record);
  await rejects(aliases.get(OF_A, 'LIVE'), 'NOT_FOUND', noAlias('LIVE'));
});

test("a name is taken once in a project, and so is a function's version", async (t) => {
  const { create, aliases } = await openFunctionsRig(t);
  const [one, two] = [await create('1'), await create('2')];
  await aliases.create(ANYBODY, alias('live', one.id));

  await rejects(aliases.create(ANYBODY, alias('live', two.id)), 'INVALID_INPUT', SAME_NAME);
  await rejects(aliases.create(ANYBODY, alias('other', one.id)), 'INVALID_INPUT', SAME_TARGET);
  await rejects(aliases.create(ANYBODY, alias('live', one.id)), 'INVALID_INPUT', SAME_NAME);
  await aliases.create(ANYBODY, alias('other', two.id));
  await rejects(aliases.update(ANYBODY, 'other', { ...nothing, functionId: one.id }), 'INVALID_INPUT', SAME_TARGET);
});

test('what an alias points at must be there, and visible to who says so', async (t) => {
  const { create, aliases, versions } = await openFunctionsRig(t);
  const { id } = await create('x', {}, OF_A);
  await versions.create(OF_A, id, null);

  await rejects(aliases.create(OF_A, alias('x', UNKNOWN)), 'NOT_FOUND', noFunction(UNKNOWN));
  await rejects(aliases.create(OF_B, alias('x', id)), 'NOT_FOUND', noFunction(id));
  await rejects(aliases.create(OF_A, alias('x', id, { functionVersion: 2 })), 'NOT_FOUND', noVersion(id, 2));
  await aliases.create(OF_A, alias('x', id, { functionVersion: 1 }));
  const move = (change: object, name = 'x', access: Access = OF_A) =>
    aliases.update(access, name, { ...nothing, ...change });
  await rejects(move({ functionVersion: 2 }), 'NOT_FOUND', noVersion(id, 2));
  await rejects(move({ functionId: UNKNOWN }), 'NOT_FOUND', noFunction(UNKNOWN));
  const own = await create('y', {}, OF_B);
  await aliases.create(OF_B, alias('y', own.id));
  await rejects(move({ functionId: id }, 'y', OF_B), 'NOT_FOUND', noFunction(id));
  assert.equal((await aliases.create(ADMIN_OF_B, alias('theirs', id))).projectId, 'b');
});

test('an alias is moved between versions and functions, and what is not given stays', async (t) => {
  const { create, aliases, versions, moved, store } = await openFunctionsRig(t);
  const [one, two] = [await create('1'), await create('2')];
  await versions.create(ANYBODY, one.id, null);
  const made = await aliases.create(ANYBODY, alias('live', one.id, { description: 'kept' }));

  const toVersion = await aliases.update(ANYBODY, 'live', { ...nothing, functionVersion: 1 });
  assert.deepEqual(toVersion, { ...made, functionVersion: 1, updatedAt: toVersion.updatedAt });
  assert.ok(toVersion.updatedAt !== null);
  const noSuch = aliases.update(ANYBODY, 'live', { ...nothing, functionId: two.id });
  await rejects(noSuch, 'NOT_FOUND', noVersion(two.id, 1)); // its version goes along
  const toOther = await aliases.update(ANYBODY, 'live', { ...nothing, functionId: two.id, functionVersion: 0 });
  assert.deepEqual([toOther.functionId, toOther.functionVersion, toOther.description], [two.id, 0, 'kept']);
  const described = await aliases.update(ANYBODY, 'live', { ...nothing, description: '' });

  assert.equal(described.description, '');
  assert.deepEqual(await store.aliases.getNamed('default', 'live'), described);
  assert.deepEqual(moved, ['default/live', 'default/live', 'default/live']);
});

test('a change of an alias that says nothing changes nothing', async (t) => {
  const { create, aliases, moved } = await openFunctionsRig(t);
  const made = await aliases.create(ANYBODY, alias('live', (await create()).id));

  assert.deepEqual(await aliases.update(ANYBODY, 'live', nothing), made);

  assert.deepEqual(moved, []);
});

test('moves that come together leave an alias at something that is there', async (t) => {
  const { create, aliases, versions } = await openFunctionsRig(t);
  const [one, two] = [await create('1'), await create('2')];
  await versions.create(ANYBODY, one.id, null);
  await aliases.create(ANYBODY, alias('live', one.id));

  await Promise.allSettled([
    aliases.update(ANYBODY, 'live', { ...nothing, functionVersion: 1 }),
    aliases.update(ANYBODY, 'live', { ...nothing, functionId: two.id }),
  ]);

  const { functionId, functionVersion } = await aliases.get(ANYBODY, 'live');
  assert.notDeepEqual([functionId, functionVersion], [two.id, 1]);
});

test('a deleted alias is gone, and its name is free', async (t) => {
  const { create, aliases, moved } = await openFunctionsRig(t);
  const { id } = await create();
  await aliases.create(ANYBODY, alias('live', id));

  await aliases.delete(ANYBODY, 'live');

  await rejects(aliases.get(ANYBODY, 'live'), 'NOT_FOUND', noAlias('live'));
  await rejects(aliases.delete(ANYBODY, 'live'), 'NOT_FOUND', noAlias('live'));
  await rejects(aliases.update(ANYBODY, 'live', nothing), 'NOT_FOUND', noAlias('live'));
  assert.deepEqual(moved, ['default/live']);
  await aliases.create(ANYBODY, alias('live', id));
});

test('aliases of other projects are not there; an administrator has the own one first, then the only one', async (t) => {
  const { create, aliases } = await openFunctionsRig(t);
  const [ofA, ofB] = [await create('a', {}, OF_A), await create('b', {}, OF_B)];
  const mine = await aliases.create(OF_A, alias('live', ofA.id));

  await rejects(aliases.get(OF_B, 'live'), 'NOT_FOUND', noAlias('live'));
  await rejects(aliases.update(OF_B, 'live', { ...nothing, description: 'x' }), 'NOT_FOUND', noAlias('live'));
  await rejects(aliases.delete(OF_B, 'live'), 'NOT_FOUND', noAlias('live'));
  assert.deepEqual(await aliases.get(ADMIN_OF_B, 'live'), mine);

  const theirs = await aliases.create(OF_B, alias('live', ofB.id));
  assert.deepEqual(await aliases.get(ADMIN_OF_B, 'live'), theirs);
  const several = 'Several projects have a FunctionAlias [name=live]';
  await rejects(aliases.get(ADMIN_OF_C, 'live'), 'CONFLICT', several);
  await rejects(aliases.delete(ADMIN_OF_C, 'live'), 'CONFLICT', several);
  await aliases.delete(ADMIN_OF_B, 'live');
  assert.deepEqual(await aliases.get(OF_A, 'live'), mine);
  await aliases.delete(ADMIN_OF_C, 'live');
  await rejects(aliases.get(OF_A, 'live'), 'NOT_FOUND', noAlias('live'));
});

test('a call finds an alias in its own project only, whoever asks', async (t) => {
  const { create, aliases } = await openFunctionsRig(t);
  const { id } = await create('a', {}, OF_A);
  await aliases.create(OF_A, alias('live', id));

  assert.deepEqual(await aliases.read('a', 'live'), { functionId: id, version: 0 });
  await rejects(aliases.read('b', 'live'), 'NOT_FOUND', noAlias('live'));
});

test('a list has the aliases in scope, in the order of creation, however many', async (t) => {
  const { create, aliases, store } = await openFunctionsRig(t);
  const [ofA, ofB] = [await create('a', {}, OF_A), await create('b', {}, OF_B)];
  const first = await aliases.create(OF_A, alias('z', ofA.id));
  const theirs = await aliases.create(OF_B, alias('a', ofB.id));
  const more = Array.from({ length: 1_100 }, (_, index) => ({
    ...first,
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    name: `name ${index}`,
    functionId: `function ${index}`,
    createdAt: first.createdAt + 1,
  }));
  await Promise.all(more.map((record) => store.aliases.insert(record)));
  const listed = (access: Access) => collect(aliases.list(access, { filters: [] }));

  assert.deepEqual(await listed(OF_A), [first, ...more]);
  assert.deepEqual(await listed(ownOnly(ADMIN_OF_B)), [theirs]);
  assert.equal((await listed(ADMIN_OF_B)).length, more.length + 2);
});

test('an alias that comes with the delete of its function does not outlive it', async (t) => {
  const { create, aliases, functions, store } = await openFunctionsRig(t);
  for (let round = 0; round < 10; round++) {
    const { id } = await create();
    const both = [aliases.create(ANYBODY, alias(`round ${round}`, id)), functions.delete(ANYBODY, id)];
    await Promise.allSettled(round % 2 === 0 ? both : both.toReversed());
    const isThere = (await store.functions.get(id, null)) !== undefined;
    assert.equal((await store.aliases.getNamed('default', `round ${round}`)) !== undefined, isThere);
  }
});

test('an alias that something is to be run by stays', async (t) => {
  const { create, aliases, holders, store } = await openFunctionsRig(t);
  await aliases.create(ANYBODY, alias('live', (await create()).id));
  holders.unshift({
    ofFunction: 'webhook(s)',
    ofVersion: 'webhook',
    ofAlias: 'webhook(s)',
    holdsCode: false,
    hasFunction: () => Promise.resolve(false),
    hasVersion: () => Promise.resolve(false),
    hasAlias: (projectId, name) => Promise.resolve(projectId === 'default' && name === 'live'),
  });

  const text = 'The function alias is still associated with webhook(s).';
  await rejects(aliases.delete(ANYBODY, 'live'), 'IN_USE', text);

  assert.ok((await store.aliases.getNamed('default', 'live')) !== undefined);
});

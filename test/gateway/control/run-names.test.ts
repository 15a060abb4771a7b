import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RunNames } from '../../../gateway/control/run-names.ts';
import { Turns } from '../../../gateway/control/turns.ts';
import type { QinlingError } from '../../../gateway/errors.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { aliasRecord, functionRecord, versionRecord } from '../../support/store-records.ts';
import { openThrowAwayStore } from '../../support/throw-away-store.ts';

const [mine, theirs, admin] = [accessOf('mine'), accessOf('theirs'), adminOf('ops')];
const refusal = (httpStatus: number, message: string) => (error: QinlingError) =>
  error.httpStatus === httpStatus && error.message === message;

test('a function, one of its versions, or an alias names what runs', async (t) => {
  const { names, functionId, addAlias } = await open(t);
  await addAlias({ name: 'live', functionVersion: 1 });
  const projectId = 'mine';

  assert.deepEqual(await names.resolve(mine, { functionId }), { functionId, functionVersion: 0, projectId });
  const version = { functionId, functionVersion: 1 };
  assert.deepEqual(await names.resolve(mine, version), { ...version, projectId });
  assert.deepEqual(await names.resolve(mine, { functionAlias: 'live' }), { ...version, projectId });
  const both = { functionAlias: 'live', functionId: 'ignored', functionVersion: 9 };
  assert.deepEqual(await names.resolve(mine, both), { ...version, projectId });
});

test('what is not there, or not in sight, is not found', async (t) => {
  const { names, functionId, addAlias } = await open(t);
  await addAlias({ name: 'live' });
  await addAlias({ name: 'foreign', projectId: 'theirs', functionVersion: 1 });
  const cases = [
    [mine, {}, 400, 'Either function_alias or function_id must be provided.'],
    [mine, { functionId: 'gone' }, 404, 'Function not found [id=gone]'],
    [theirs, { functionId }, 404, `Function not found [id=${functionId}]`],
    [
      mine,
      { functionId, functionVersion: 2 },
      404,
      `FunctionVersion not found [function_id=${functionId}, version_number=2]`,
    ],
    [mine, { functionAlias: 'gone' }, 404, 'FunctionAlias not found [name=gone]'],
    [theirs, { functionAlias: 'live' }, 404, 'FunctionAlias not found [name=live]'],
    [mine, { functionAlias: 'foreign' }, 404, 'FunctionAlias not found [name=foreign]'],
    [theirs, { functionAlias: 'foreign' }, 404, `Function not found [id=${functionId}]`],
    [admin, { functionAlias: 'live' }, 404, 'FunctionAlias not found [name=live]'],
  ] as const;

  for (const [access, name, status, message] of cases) {
    await assert.rejects(names.resolve(access, name), refusal(status, message));
  }
  assert.equal((await names.resolve(admin, { functionId })).projectId, 'mine');
});

test('what is named is not deleted between the look at it and the record that names it', async (t) => {
  const { names, turns, store, functionId } = await open(t);
  const deletion = turns.run(functionId, async () => {
    await new Promise(setImmediate);
    return store.functions.delete(functionId);
  });

  const write = names.hold(mine, { functionId }, () => assert.fail('it was written'));

  await assert.rejects(write, refusal(404, `Function not found [id=${functionId}]`));
  assert.equal(await deletion, true);
});

async function open(t: TestContext) {
  const store = await openThrowAwayStore(t);
  const published = functionRecord({ projectId: 'mine' });
  await store.functions.insert(published);
  await store.versions.insert(versionRecord(published));
  const turns = new Turns();
  const functionId = published.id;
  const addAlias = (fields: Parameters<typeof aliasRecord>[0]) =>
    store.aliases.insert(aliasRecord({ projectId: 'mine', functionId, functionVersion: 0, ...fields }));
  return { store, turns, functionId, names: new RunNames({ store, turns }), addAlias };
}

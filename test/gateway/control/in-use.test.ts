import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY, ownOnly } from '../../../gateway/auth/access.ts';
import { InUse, type Holder } from '../../../gateway/control/in-use.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { openFunctionsRig, request } from '../../support/functions-rig.ts';
import { rejects } from '../../support/rejects.ts';
import { functionRecord } from '../../support/store-records.ts';

/** A holder that has everything while it is `on`; what it was asked is in `asked`. */
function openHolder(name: string, holdsCode: boolean, asked: string[] = []) {
  const state = { on: true };
  const answer = (what: string) => () => {
    asked.push(`${name} ${what}`);
    return Promise.resolve(state.on);
  };
  const holder: Holder = {
    ofFunction: `${name}(s)`,
    ofVersion: name,
    ofAlias: `${name}(s)`,
    holdsCode,
    hasFunction: answer('function'),
    hasVersion: answer('version'),
    hasAlias: answer('alias'),
  };
  return { holder, state };
}

test('the first that holds something is the answer, in the order given', async () => {
  const asked: string[] = [];
  const [first, second] = [openHolder('job', true, asked), openHolder('webhook', false, asked)];
  const inUse = new InUse([first.holder, second.holder]);
  const texts = async (name: string) => {
    const still = (what: string, by: string) => `The ${what} is still associated with ${by}.`;
    await rejects(inUse.refuseFunctionDelete('f'), 'IN_USE', still('function', `${name}(s)`));
    await rejects(inUse.refuseVersionDelete('f', 1), 'IN_USE', still('function version', name));
    await rejects(inUse.refuseAliasDelete('p', 'a'), 'IN_USE', still('function alias', `${name}(s)`));
  };

  await texts('job');
  assert.deepEqual(asked, ['job function', 'job version', 'job alias']);
  first.state.on = false;
  await texts('webhook');
  second.state.on = false;
  await inUse.refuseFunctionDelete('f');
  await inUse.refuseVersionDelete('f', 1);
  await inUse.refuseAliasDelete('p', 'a');
});

test('code is held by those that say so, and by no other', async () => {
  const [job, webhook] = [openHolder('job', true), openHolder('webhook', false)];
  const inUse = new InUse([webhook.holder, job.holder]);

  await rejects(inUse.refuseCodeChange('f'), 'IN_USE', 'The function is still associated with job(s).');
  job.state.on = false;
  await inUse.refuseCodeChange('f');
});

test('an alias of any project holds its function and its version, and no other', async (t) => {
  const { create, functions, versions, aliases } = await openFunctionsRig(t);
  const ofA = accessOf('a');
  const [one, two] = [await create('1', {}, ofA), await create('2', {}, ofA)];
  await versions.create(ofA, one.id, null);
  await functions.update(ofA, one.id, request({ name: 'still free to change', cpu: 200 }));
  const alias = { name: 'live', functionId: one.id, functionVersion: 1, description: null };
  await aliases.create(adminOf('b'), alias);

  const heldFunction = 'The function is still associated with function alias(es).';
  const heldVersion = 'The function version is still associated with alias.';
  await rejects(functions.delete(ofA, one.id), 'IN_USE', heldFunction);
  await rejects(versions.delete(ofA, one.id, 1), 'IN_USE', heldVersion);
  await functions.update(ofA, one.id, request({ cpu: 300 }));
  await functions.delete(ofA, two.id);

  await aliases.update(adminOf('b'), 'live', { functionId: undefined, functionVersion: 0, description: undefined });
  await versions.delete(ofA, one.id, 1);
  await rejects(functions.delete(ofA, one.id), 'IN_USE', heldFunction);
  await aliases.delete(adminOf('b'), 'live');
  await functions.delete(ofA, one.id);
});

test('the owner is asked for before what holds a function', async (t) => {
  const { create, functions, aliases } = await openFunctionsRig(t);
  const { id } = await create('1', {}, accessOf('a'));
  await aliases.create(accessOf('a'), { name: 'live', functionId: id, functionVersion: 0, description: null });

  const text = 'Function can only be deleted by its owner.';
  await rejects(functions.delete(ownOnly(adminOf('b')), id), 'NOT_ALLOWED', text);
});

test('code, entry and limits stay while a job is to run them; name, description and timeout change', async (t) => {
  const { create, functions, upload, holders, changes, files } = await openFunctionsRig(t);
  const record = await create('one');
  const before = files();
  holders.unshift(openHolder('running job', true).holder);
  const text = 'The function is still associated with running job(s).';

  const held = [{ cpu: 200 }, { memorySize: '67108864' }, { entry: 'main.other' }, { upload: upload({ x: '' }) }];
  for (const fields of held) {
    await rejects(functions.update(ANYBODY, record.id, request({ name: 'new', ...fields })), 'IN_USE', text);
  }
  assert.deepEqual(await functions.get(ANYBODY, record.id), record);
  assert.deepEqual(files(), before);

  const free = { name: 'new', description: 'd', timeout: 60, code: { source: 'package' } };
  const changed = await functions.update(ANYBODY, record.id, request(free));
  assert.deepEqual([changed.name, changed.description, changed.timeoutSeconds], ['new', 'd', 60]);
  assert.deepEqual(changes, [record.id]);
});

test('of an image function only name, description and timeout change', async (t) => {
  const { functions, store, upload, changes } = await openFunctionsRig(t);
  const image = functionRecord({ code: { source: 'image', image: 'i' }, packageDigest: null, entry: null });
  await store.functions.insert(image);

  const text = 'The image type function code can not be changed.';
  const refused = [
    { cpu: 200 },
    { memorySize: 67_108_864 },
    { entry: 'main.main' },
    { code: { source: 'image', image: 'other' } },
    { upload: upload({ 'main.py': '' }) },
  ];
  for (const fields of refused) {
    await rejects(functions.update(ANYBODY, image.id, request({ name: 'new', ...fields })), 'INVALID_INPUT', text);
  }
  const typeText = 'The function code type can not be changed.';
  const other = request({ code: { source: 'package' } });
  await rejects(functions.update(ANYBODY, image.id, other), 'INVALID_INPUT', typeText);
  assert.deepEqual(await functions.get(ANYBODY, image.id), image);

  const fields = { name: 'new', description: 'd', timeout: '7' };
  const changed = await functions.update(ANYBODY, image.id, request(fields));
  assert.deepEqual([changed.name, changed.description, changed.timeoutSeconds], ['new', 'd', 7]);
  assert.deepEqual(changes, [image.id]);
});

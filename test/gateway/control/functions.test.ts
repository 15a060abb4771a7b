import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ANYBODY, ownOnly, type Access } from '../../../gateway/auth/access.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import type { FunctionRecord } from '../../../gateway/store/store.ts';
import { collect } from '../../support/collect.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { openFunctionsRig, request, type FunctionsRig } from '../../support/functions-rig.ts';
import { zipOf } from '../../support/zip.ts';

const OF_A = accessOf('a');
const OF_B = accessOf('b');
const ADMIN_OF_B = adminOf('b');
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const MD5 = /^[0-9a-f]{32}$/;

function rejects(promise: Promise<unknown>, code: string, message: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof QinlingError, String(error));
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  });
}

function md5Of({ code }: FunctionRecord): string {
  return code['md5sum'] as string;
}

function filesOf(...records: FunctionRecord[]): string[] {
  const zips = records.map((record) => `packages/zips/${record.projectId}/${record.id}/${md5Of(record)}.zip`);
  const tars = new Set(records.map(({ packageDigest }) => `packages/tars/${packageDigest}.tar`));
  return [...zips, ...tars].sort();
}

test('a new function has the defaults, its package and its tar', async (t) => {
  const { create, runtimeId, store, files, storage } = await openFunctionsRig(t);

  const record = await create('def main(): pass', { name: 'hello' });

  assert.match(md5Of(record), MD5);
  assert.deepEqual(record, {
    id: record.id,
    projectId: 'default',
    name: 'hello',
    description: null,
    runtimeId,
    code: { source: 'package', md5sum: md5Of(record) },
    packageDigest: record.packageDigest,
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 33_554_432,
    timeoutSeconds: 5,
    retry: null,
    count: 0,
    latestVersion: 0,
    createdAt: record.createdAt,
    updatedAt: null,
  });
  assert.deepEqual(await store.functions.get(record.id, null), record);
  assert.deepEqual(files(), filesOf(record));
  assert.ok(await storage.openTar(record.packageDigest!).then((file) => file?.stream.destroy()));
});

test('code comes as text or as an object, with its source or in the early form', async (t) => {
  const { create } = await openFunctionsRig(t);
  const given: [unknown, object][] = [
    ['{"source": "package"}', { source: 'package' }],
    [{ source: 'package' }, { source: 'package' }],
    ['{"package": "true"}', { package: 'true', source: 'package' }],
    ['{}', { source: 'package' }],
    [{ source: null }, { source: 'package' }],
    [{ note: [1, { two: 'ü' }] }, { note: [1, { two: 'ü' }], source: 'package' }],
  ];
  for (const [code, shown] of given) {
    const record = await create('x', { code });
    assert.deepEqual(record.code, { ...shown, md5sum: md5Of(record) });
  }
  assert.deepEqual(Object.keys((await create('x', { code: '{"package": "true"}' })).code), [
    'package',
    'source',
    'md5sum',
  ]);
});

const SOURCES = 'Invalid code source specified, available sources: package, swift, image';
const REFUSED: [string, (rig: FunctionsRig) => Parameters<FunctionsRig['create']>[1], string][] = [
  ['without code', () => ({ code: undefined }), "Required param is missing. Required: {'code'}"],
  ['with code that is no JSON', () => ({ code: '{' }), 'The attribute code is not valid JSON.'],
  ['with code that is a list', () => ({ code: '[]' }), 'The attribute code must be a JSON object.'],
  ['with code that is a number', () => ({ code: 1 }), 'The attribute code must be a JSON object.'],
  ['with an unknown source', () => ({ code: { source: 'git' } }), SOURCES],
  ['with neither source nor package', () => ({ code: {}, upload: undefined }), SOURCES],
  ['with an endless code', () => ({ code: { x: 'x'.repeat(20_000) } }), 'The attribute code is too long.'],
  ['from Swift', () => ({ code: { source: 'swift' } }), 'Swift object not supported.'],
  ['from Swift in the early form', () => ({ code: { swift: {} }, upload: undefined }), 'Swift object not supported.'],
  ['of an image', () => ({ code: { image: 'x' } }), 'Image functions are not supported by this deployment.'],
  ['without a runtime', () => ({ runtimeId: undefined }), '"runtime_id" must be specified.'],
  ['without a package', () => ({ upload: undefined }), 'The file part package is missing.'],
  ['with another checksum', () => ({ md5: '0'.repeat(32) }), 'Package md5 mismatch.'],
  ['with another checksum in code', () => ({ code: { source: 'package', md5sum: 'x' } }), 'Package md5 mismatch.'],
  ['with an odd checksum', () => ({ code: { source: 'package', md5sum: { toString: 1 } } }), 'Package md5 mismatch.'],
  ['of what is no zip', ({ upload }) => ({ upload: upload('text') }), 'Package is not a valid ZIP package.'],
  [
    'with a package that climbs out',
    ({ upload }) => ({ upload: upload({ '../x': '' }) }),
    'Package is refused: invalid relative path: ../x.',
  ],
  ['with no number for cpu', () => ({ cpu: '1.5' }), 'Invalid cpu resource specified. An integer is required.'],
  [
    'with no number for memory',
    () => ({ memorySize: '' }),
    'Invalid memory resource specified. An integer is required.',
  ],
  [
    'with no number for timeout',
    () => ({ timeout: {} }),
    'Invalid timeout resource specified. An integer is required.',
  ],
  [
    'with too little cpu',
    () => ({ cpu: 99 }),
    'cpu resource limitation not within the allowable range: 100 ~ 300(millicpu).',
  ],
  [
    'with too much memory',
    () => ({ memorySize: '134217729' }),
    'memory resource limitation not within the allowable range: 33554432 ~ 134217728(bytes).',
  ],
  [
    'with no time',
    () => ({ timeout: '0' }),
    'timeout resource limitation not within the allowable range: 1 ~ 300(seconds).',
  ],
];
for (const [what, fieldsOf, message] of REFUSED) {
  test(`a function ${what} is refused, and leaves nothing`, async (t) => {
    const rig = await openFunctionsRig(t);
    await rejects(rig.create('x', fieldsOf(rig)), 'INVALID_INPUT', message);
    assert.deepEqual(await collect(rig.store.functions.list({ scope: null, filters: [], limit: 9 })), []);
    assert.deepEqual(rig.files(), []);
  });
}

test('limits come as numbers or text, up to their ends', async (t) => {
  const { create } = await openFunctionsRig(t);
  const record = await create('x', { cpu: '300', memorySize: 134_217_728, timeout: ' 300 ' });
  assert.deepEqual([record.cpuMillicores, record.memoryBytes, record.timeoutSeconds], [300, 134_217_728, 300]);
});

test('a checksum that is right is taken, in either case', async (t) => {
  const { create, upload } = await openFunctionsRig(t);
  const first = upload({ 'main.py': 'x' });
  const record = await create('x', { upload: first, md5: first.md5.toUpperCase() });
  assert.equal(md5Of(record), first.md5);
});

test('a runtime that is not there, not visible or not available is refused', async (t) => {
  const { create, runtimes, orchestrator } = await openFunctionsRig(t);
  await rejects(create('x', { runtimeId: UNKNOWN }), 'NOT_FOUND', `Runtime not found [id=${UNKNOWN}]`);

  const fields = { name: null, image: 'x', description: null, isTrusted: true };
  const { id: closed } = await runtimes.create(OF_A, { ...fields, isPublic: false });
  await rejects(create('x', { runtimeId: closed }, OF_B), 'NOT_FOUND', `Runtime not found [id=${closed}]`);

  orchestrator.isWilling = false;
  const { id: late } = await runtimes.create(OF_A, { ...fields, isPublic: true });
  await rejects(create('x', { runtimeId: late }), 'INVALID_INPUT', `Runtime ${late} is not available.`);
});

test('a function whose runtime is deleted while its package is read is refused, and leaves nothing', async (t) => {
  const { create, runtimes, runtimeId, store, files } = await openFunctionsRig(t);
  const creation = create();
  await runtimes.delete(ANYBODY, runtimeId);

  await assert.rejects(creation, { httpStatus: 404 }).catch(() => assert.rejects(creation, { httpStatus: 400 }));

  assert.deepEqual(await collect(store.functions.list({ scope: null, filters: [], limit: 9 })), []);
  assert.deepEqual(files(), []);
});

test('functions of other projects are not there, save for administrators', async (t) => {
  const { create, functions } = await openFunctionsRig(t);
  const mine = await create('x', {}, OF_A);
  const theirs = await create('x', {}, OF_B);
  const missing = `Function not found [id=${mine.id}]`;

  assert.deepEqual(await functions.get(OF_A, mine.id), mine);
  assert.deepEqual(await functions.get(ADMIN_OF_B, mine.id), mine);
  await rejects(functions.get(OF_B, mine.id), 'NOT_FOUND', missing);
  await rejects(functions.download(OF_B, mine.id), 'NOT_FOUND', missing);
  await rejects(functions.update(OF_B, mine.id, request({ name: 'x' })), 'NOT_FOUND', missing);
  await rejects(functions.delete(OF_B, mine.id), 'NOT_FOUND', missing);

  const listed = (caller: Access) => collect(functions.list(caller, { filters: [] }));
  assert.deepEqual(await listed(OF_A), [mine]);
  assert.deepEqual(await listed(ownOnly(ADMIN_OF_B)), [theirs]);
  assert.deepEqual((await listed(ADMIN_OF_B)).length, 2);
});

test('a function is deleted by its owner, and by nobody else unless policy says so', async (t) => {
  const { create, functions } = await openFunctionsRig(t);
  const [one, two] = [await create('x', {}, OF_A), await create('x', {}, OF_A)];

  const refused = functions.delete(ownOnly(ADMIN_OF_B), one.id);
  await rejects(refused, 'NOT_ALLOWED', 'Function can only be deleted by its owner.');
  await functions.delete(OF_A, one.id);
  await functions.delete(ADMIN_OF_B, two.id);
  for (const { id } of [one, two]) await rejects(functions.get(OF_A, id), 'NOT_FOUND', `Function not found [id=${id}]`);
});

test('an administrator may change a function of another project, and it stays there', async (t) => {
  const { create, functions, upload, files } = await openFunctionsRig(t);
  const { id } = await create('one', {}, OF_A);

  const changed = await functions.update(ADMIN_OF_B, id, request({ upload: upload({ 'main.py': 'two' }) }));

  assert.equal(changed.projectId, 'a');
  assert.deepEqual(files(), filesOf(changed));
  (await functions.download(OF_A, id)).stream.destroy();
});

test('a download gives the uploaded bytes', async (t) => {
  const { create, functions } = await openFunctionsRig(t);
  const { id } = await create('def main(): return 1');

  const { bytes, stream } = await functions.download(ANYBODY, id);

  const content = await buffer(stream);
  assert.deepEqual(content, zipOf({ 'main.py': 'def main(): return 1' }));
  assert.equal(bytes, content.length);
});

test('a package that was lost is not found', async (t) => {
  const { create, functions, folder } = await openFunctionsRig(t);
  const { id } = await create();
  rmSync(join(folder, 'packages/zips'), { recursive: true });
  await rejects(functions.download(ANYBODY, id), 'NOT_FOUND', `Package of function ${id} not found.`);
});

test('name, description and timeout change without a word to the workers', async (t) => {
  const { create, functions, changes, store } = await openFunctionsRig(t);
  const record = await create();

  const fields = { name: 'new', description: '', timeout: '60' };
  const changed = await functions.update(ANYBODY, record.id, request(fields));

  const expected = { ...record, name: 'new', description: '', timeoutSeconds: 60, updatedAt: changed.updatedAt };
  assert.deepEqual(changed, expected);
  assert.ok(changed.updatedAt !== null);
  assert.deepEqual(await store.functions.get(record.id, null), changed);
  assert.deepEqual(changes, [record.id]);
});

test('cpu, memory and entry change, and need fresh workers', async (t) => {
  const { create, functions, changes } = await openFunctionsRig(t);
  const { id } = await create();

  await functions.update(ANYBODY, id, request({ cpu: 200 }));
  await functions.update(ANYBODY, id, request({ memorySize: '67108864' }));
  const changed = await functions.update(ANYBODY, id, request({ entry: 'main.other' }));

  assert.deepEqual([changed.cpuMillicores, changed.memoryBytes, changed.entry], [200, 67_108_864, 'main.other']);
  assert.deepEqual(changes, [`${id}!`, `${id}!`, `${id}!`]);
});

test('a change that says nothing changes nothing', async (t) => {
  const { create, functions, changes } = await openFunctionsRig(t);
  const record = await create();

  const given = [request({}), request({ code: { source: 'package' } }), request({ code: '{"note": 1}' })];
  for (const one of given) assert.deepEqual(await functions.update(ANYBODY, record.id, one), record);

  assert.deepEqual(changes, []);
});

test('a change that breaks a rule is refused as a whole', async (t) => {
  const { create, functions, upload, changes, files } = await openFunctionsRig(t);
  const record = await create();
  const stored = md5Of(record);
  const bad: [Parameters<typeof request>[0], string][] = [
    [{ name: 'new', timeout: 0 }, 'timeout resource limitation not within the allowable range: 1 ~ 300(seconds).'],
    [{ name: 'new', cpu: 'x' }, 'Invalid cpu resource specified. An integer is required.'],
    [{ name: 'new', code: { source: 'image' } }, 'The function code type can not be changed.'],
    [{ name: 'new', code: 'x' }, 'The attribute code is not valid JSON.'],
    [{ upload: upload({ x: '' }), code: { md5sum: stored } }, 'The function code checksum is not changed.'],
    [{ upload: upload({ x: '' }), md5: stored.toUpperCase() }, 'The function code checksum is not changed.'],
    [{ upload: upload({ x: '' }), code: { md5sum: 'wrong' } }, 'Package md5 mismatch.'],
    [{ upload: upload('no zip') }, 'Package is not a valid ZIP package.'],
  ];
  for (const [fields, message] of bad) {
    await rejects(functions.update(ANYBODY, record.id, request(fields)), 'INVALID_INPUT', message);
  }
  assert.deepEqual(await functions.get(ANYBODY, record.id), record);
  assert.deepEqual(changes, []);
  assert.deepEqual(files(), filesOf(record));
});

test('a new package takes the place of the old one', async (t) => {
  const { create, functions, upload, changes, files } = await openFunctionsRig(t);
  const record = await create('one', { code: { package: 'true' } });
  const next = upload({ 'main.py': 'two' });

  const changed = await functions.update(ANYBODY, record.id, request({ upload: next, code: { md5sum: next.md5 } }));

  assert.deepEqual(changed.code, { package: 'true', source: 'package', md5sum: next.md5 });
  assert.notEqual(changed.packageDigest, record.packageDigest);
  assert.deepEqual(changes, [`${record.id}!`]);
  assert.deepEqual(files(), filesOf(changed));
});

test('the same package again, without its checksum, changes nothing', async (t) => {
  const { create, functions, upload, changes } = await openFunctionsRig(t);
  const record = await create('one');

  assert.deepEqual(
    await functions.update(ANYBODY, record.id, request({ upload: upload({ 'main.py': 'one' }) })),
    record,
  );

  assert.deepEqual(changes, []);
});

test('another entry may make another folder the root of the package', async (t) => {
  const { functions, create, upload, files } = await openFunctionsRig(t);
  const record = await create('', { upload: upload({ 'one/main.py': '1', 'two/other.py': '2' }) });

  const changed = await functions.update(ANYBODY, record.id, request({ entry: 'other.run' }));

  assert.notEqual(changed.packageDigest, record.packageDigest);
  assert.equal(md5Of(changed), md5Of(record));
  assert.deepEqual(files(), filesOf(changed));
});

test('functions of the same content share a tar, which goes with the last of them', async (t) => {
  const { create, functions, files } = await openFunctionsRig(t);
  const [first, second] = [await create('same'), await create('same')];
  assert.equal(first.packageDigest, second.packageDigest);

  await functions.delete(ANYBODY, first.id);
  assert.deepEqual(files(), filesOf(second));
  await functions.delete(ANYBODY, second.id);
  assert.deepEqual(files(), []);
});

test('a deleted function is gone, with its files, and its workers are told', async (t) => {
  const { create, functions, changes, files } = await openFunctionsRig(t);
  const { id } = await create();

  await functions.delete(ANYBODY, id);

  await rejects(functions.get(ANYBODY, id), 'NOT_FOUND', `Function not found [id=${id}]`);
  await rejects(functions.delete(ANYBODY, id), 'NOT_FOUND', `Function not found [id=${id}]`);
  assert.deepEqual(changes, [`${id}!`]);
  assert.deepEqual(files(), []);
});

test('functions that come and go at once keep the tar that they share', async (t) => {
  const { create, functions, files } = await openFunctionsRig(t);
  let old = await create('same');
  for (let round = 0; round < 20; round++) {
    const [next] = await Promise.all([create('same'), functions.delete(ANYBODY, old.id)]);
    assert.deepEqual(files(), filesOf(next));
    old = next;
  }
});

test('changes that come at once leave a record and files that belong together', async (t) => {
  const { create, functions, upload, files, faults } = await openFunctionsRig(t);
  const { id } = await create('0');
  const contents = Array.from({ length: 8 }, (_, index) => ({ 'main.py': String(index), 'x/other.py': 'o' }));

  const results = await Promise.allSettled([
    ...contents.map((content) => functions.update(ANYBODY, id, request({ upload: upload(content) }))),
    functions.update(ANYBODY, id, request({ entry: 'other.run' })),
  ]);

  assert.deepEqual(
    results.filter(({ status }) => status === 'rejected'),
    [],
  );
  const record = await functions.get(ANYBODY, id);
  assert.equal(record.entry, 'other.run');
  assert.deepEqual(files(), filesOf(record));
  assert.deepEqual(faults, []);
});

test('a change that comes with a delete leaves no file behind', async (t) => {
  const { create, functions, upload, files } = await openFunctionsRig(t);
  const { id } = await create('0');
  const change = request({ upload: upload({ 'main.py': '1' }) });

  await Promise.allSettled([
    functions.delete(ANYBODY, id),
    functions.update(ANYBODY, id, change),
    functions.delete(ANYBODY, id),
  ]);

  assert.deepEqual(files(), []);
});

test('a record that cannot be written leaves no file behind', async (t) => {
  const { create, store, files, functions, upload } = await openFunctionsRig(t);
  const record = await create('0');
  const fail = () => Promise.reject(new Error('the disk is full'));
  t.mock.method(store.functions, 'insert', fail);
  t.mock.method(store.functions, 'update', fail);

  await assert.rejects(create('1'), /the disk is full/);
  const change = request({ upload: upload({ 'main.py': '2' }) });
  await assert.rejects(functions.update(ANYBODY, record.id, change), /the disk is full/);

  assert.deepEqual(files(), filesOf(record));
});

test('a file that cannot be removed is told, and stops nobody', async (t) => {
  const { create, functions, storage, faults } = await openFunctionsRig(t);
  const { id } = await create();
  t.mock.method(storage, 'deleteZip', () => Promise.reject(new Error('busy')));

  await functions.delete(ANYBODY, id);

  assert.equal(faults.length, 1);
});

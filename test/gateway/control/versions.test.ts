import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { ANYBODY, ownOnly } from '../../../gateway/auth/access.ts';
import type { VersionRecord } from '../../../gateway/store/store.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { collect } from '../../support/collect.ts';
import { openFunctionsRig, request, type FunctionsRig } from '../../support/functions-rig.ts';
import { rejects } from '../../support/rejects.ts';
import { functionRecord } from '../../support/store-records.ts';
import { zipOf } from '../../support/zip.ts';

const OF_A = accessOf('a');
const OF_B = accessOf('b');
const ADMIN_OF_B = adminOf('b');
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const missing = (id: string, number: number) =>
  `FunctionVersion not found [function_id=${id}, version_number=${number}]`;

/** A function whose package is `content`, and a way to give it another one. */
async function withFunction(rig: FunctionsRig, content = 'one') {
  const record = await rig.create(content);
  const change = (next: string) =>
    rig.functions.update(ANYBODY, record.id, request({ upload: rig.upload({ 'main.py': next }) }));
  return { record, id: record.id, change };
}

test('a version keeps package, entry and limits, whatever becomes of the function', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, record, change } = await withFunction(rig);

  const version = await rig.versions.create(ANYBODY, id, 'first');
  await change('two');
  const fields = { entry: 'main.other', cpu: 200, memorySize: 67_108_864, timeout: 60 };
  await rig.functions.update(ANYBODY, id, request(fields));

  assert.deepEqual(version, {
    id: version.id,
    functionId: id,
    projectId: 'default',
    versionNumber: 1,
    description: 'first',
    md5: record.code['md5sum'],
    packageDigest: record.packageDigest,
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 33_554_432,
    timeoutSeconds: 5,
    count: 0,
    createdAt: version.createdAt,
    updatedAt: null,
  });
  assert.deepEqual(await rig.versions.get(ANYBODY, id, 1), version);
  const { bytes, stream } = await rig.versions.download(ANYBODY, id, 1);
  const content = await buffer(stream);
  assert.deepEqual(content, zipOf({ 'main.py': 'one' }));
  assert.equal(bytes, content.length);
  assert.ok(await rig.storage.openTar(version.packageDigest).then((tar) => tar?.stream.destroy()));
});

test('numbers rise by one, are never used again, and the latest one does not go down', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig);
  const publish = async () => (await rig.versions.create(ANYBODY, id, null)).versionNumber;

  assert.equal(await publish(), 1);
  await change('two');
  assert.equal(await publish(), 2);
  await rig.versions.delete(ANYBODY, id, 2);
  assert.equal((await rig.functions.get(ANYBODY, id)).latestVersion, 2);
  assert.equal(await publish(), 3);

  const numbers = (await collect(rig.versions.list(ANYBODY, id))).map(({ versionNumber }) => versionNumber);
  assert.deepEqual(numbers, [1, 3]);
});

test('how often executions are tried is said by the function for its versions too, and their workers stay', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id } = await withFunction(rig);
  await rig.versions.create(ANYBODY, id, null);
  rig.changes.length = 0;
  const retry = { maxAttempts: 2, backoffSeconds: 1, backoffRate: 1, maxBackoffSeconds: 1 };
  await rig.functions.update(ANYBODY, id, request({ retry }));
  assert.deepEqual(rig.changes, [id, `${id}/1`]);
  await rig.functions.update(ANYBODY, id, request({ name: 'other' }));
  assert.deepEqual(rig.changes, [id, `${id}/1`, id]);
});

test("a package that is the newest version's makes no version, and one that is an older one's does", async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig);
  await rig.versions.create(ANYBODY, id, null);
  const unchanged = (number: number) => `Function package not changed since the latest version ${number}.`;

  await rig.functions.update(ANYBODY, id, request({ entry: 'main.other', cpu: 200 }));
  await rejects(rig.versions.create(ANYBODY, id, null), 'NOT_ALLOWED', unchanged(1));
  await change('two');
  await rig.versions.create(ANYBODY, id, null);
  await change('one');
  await rig.versions.create(ANYBODY, id, null);
  await rig.versions.delete(ANYBODY, id, 3);
  await change('two');
  await rejects(rig.versions.create(ANYBODY, id, null), 'NOT_ALLOWED', unchanged(2));
});

test('a function has at most ten versions, of any numbers', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig, '1');
  for (let number = 1; number <= 10; number++) {
    await change(String(number));
    await rig.versions.create(ANYBODY, id, null);
  }

  const tooMany = 'Can not exceed maximum number(10) of versions';
  await rejects(rig.versions.create(ANYBODY, id, null), 'NOT_ALLOWED', tooMany);
  await change('11');
  await rejects(rig.versions.create(ANYBODY, id, null), 'NOT_ALLOWED', tooMany);
  await rig.versions.delete(ANYBODY, id, 4);
  assert.equal((await rig.versions.create(ANYBODY, id, null)).versionNumber, 11);
});

test('only functions of a package have versions', async (t) => {
  const { store, versions } = await openFunctionsRig(t);
  const image = functionRecord({ code: { source: 'image', image: 'i' }, packageDigest: null });
  await store.functions.insert(image);

  const text = 'Function versioning only allowed for package type function.';
  await rejects(versions.create(ANYBODY, image.id, null), 'NOT_ALLOWED', text);
});

test('versions of other projects are not there; administrators see them', async (t) => {
  const { create, versions } = await openFunctionsRig(t);
  const { id } = await create('x', {}, OF_A);
  const version = await versions.create(OF_A, id, null);
  const notFound = `Function not found [id=${id}]`;

  for (const access of [OF_B, ownOnly(ADMIN_OF_B)]) {
    await rejects(versions.create(access, id, null), 'NOT_FOUND', notFound);
    await rejects(versions.delete(access, id, 1), 'NOT_FOUND', notFound);
  }
  await rejects(collect(versions.list(OF_B, id)), 'NOT_FOUND', notFound);
  await rejects(versions.get(OF_B, id, 1), 'NOT_FOUND', notFound);
  await rejects(versions.download(OF_B, id, 1), 'NOT_FOUND', notFound);
  assert.deepEqual(await collect(versions.list(ADMIN_OF_B, id)), [version]);
  assert.deepEqual(await versions.get(ADMIN_OF_B, id, 1), version);
  (await versions.download(ADMIN_OF_B, id, 1)).stream.destroy();
});

test('an unknown function or number is not found', async (t) => {
  const { create, versions } = await openFunctionsRig(t);
  const { id } = await create();

  await rejects(versions.create(ANYBODY, UNKNOWN, null), 'NOT_FOUND', `Function not found [id=${UNKNOWN}]`);
  await rejects(collect(versions.list(ANYBODY, UNKNOWN)), 'NOT_FOUND', `Function not found [id=${UNKNOWN}]`);
  for (const number of [0, 1, -1]) {
    await rejects(versions.get(ANYBODY, id, number), 'NOT_FOUND', missing(id, number));
    await rejects(versions.download(ANYBODY, id, number), 'NOT_FOUND', missing(id, number));
    await rejects(versions.delete(ANYBODY, id, number), 'NOT_FOUND', missing(id, number));
  }
});

test('a version whose package was lost is there, its package is not', async (t) => {
  const { create, versions, folder } = await openFunctionsRig(t);
  const { id } = await create();
  await versions.create(ANYBODY, id, null);
  rmSync(join(folder, 'packages/zips'), { recursive: true });

  await versions.get(ANYBODY, id, 1);
  await rejects(versions.download(ANYBODY, id, 1), 'NOT_FOUND', `Package of version 1 of function ${id} not found.`);
});

test('files stay while the function or any version is made of them, and go with the last', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, record, change } = await withFunction(rig);
  const filesOf = (of: { code: object; packageDigest: string | null }) => [
    `packages/tars/${of.packageDigest}.tar`,
    `packages/zips/default/${id}/${(of.code as { md5sum: string }).md5sum}.zip`,
  ];

  await rig.versions.create(ANYBODY, id, null);
  const two = await change('two');
  assert.deepEqual(rig.files(), [...filesOf(record), ...filesOf(two)].sort());
  await rig.versions.create(ANYBODY, id, null);
  await change('one');
  await rig.versions.delete(ANYBODY, id, 1);
  assert.deepEqual(rig.files(), [...filesOf(record), ...filesOf(two)].sort());
  await rig.versions.delete(ANYBODY, id, 2);
  assert.deepEqual(rig.files(), filesOf(record));
});

test('a file of a version is not taken for that of another with a similar number or checksum', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig, '1');
  for (let number = 1; number <= 10; number++) {
    if (number > 1) await change(String(number));
    await rig.versions.create(ANYBODY, id, null);
  }
  await rig.versions.delete(ANYBODY, id, 1);

  for (let number = 2; number <= 10; number++) {
    const { stream } = await rig.versions.download(ANYBODY, id, number);
    assert.deepEqual(await buffer(stream), zipOf({ 'main.py': String(number) }));
  }
});

test('an upload that fails does not take the file of a version with it', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig);
  await rig.versions.create(ANYBODY, id, null);
  await change('two');
  const failing = t.mock.method(rig.store.functions, 'update', () => Promise.reject(new Error('the disk is full')));

  await assert.rejects(change('one'), /the disk is full/);
  failing.mock.restore();

  const { stream } = await rig.versions.download(ANYBODY, id, 1);
  assert.deepEqual(await buffer(stream), zipOf({ 'main.py': 'one' }));
});

test('a deleted function takes its versions and all of their files along, and every worker is told', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig);
  await rig.versions.create(ANYBODY, id, null);
  await change('two');
  await rig.versions.create(ANYBODY, id, null);
  await change('three');
  rig.changes.length = 0;

  await rig.functions.delete(ANYBODY, id);

  assert.deepEqual(rig.changes, [`${id}!`, `${id}/1!`, `${id}/2!`]);
  assert.deepEqual(rig.files(), []);
  assert.deepEqual(await rig.store.versions.list(id), []);
});

test('a deleted version is gone, and its workers are told', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id } = await withFunction(rig);
  await rig.versions.create(ANYBODY, id, null);

  await rig.versions.delete(ANYBODY, id, 1);

  await rejects(rig.versions.get(ANYBODY, id, 1), 'NOT_FOUND', missing(id, 1));
  await rejects(rig.versions.delete(ANYBODY, id, 1), 'NOT_FOUND', missing(id, 1));
  assert.deepEqual(rig.changes, [`${id}/1!`]);
});

test('a version that is in use stays, with its files', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id } = await withFunction(rig);
  await rig.versions.create(ANYBODY, id, null);
  const alias = { name: 'live', functionId: id, functionVersion: 1, description: null };
  await rig.aliases.create(ANYBODY, alias);

  const text = 'The function version is still associated with alias.';
  await rejects(rig.versions.delete(ANYBODY, id, 1), 'IN_USE', text);

  (await rig.versions.download(ANYBODY, id, 1)).stream.destroy();
  assert.deepEqual(rig.changes, []);
});

test('a function that another process changes while it is published is looked at again', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id } = await withFunction(rig);
  const insert = rig.store.versions.insert.bind(rig.store.versions);
  let tries = 0;
  t.mock.method(rig.store.versions, 'insert', async (record: VersionRecord) => {
    if (++tries === 1) await rig.store.functions.update(id, { cpuMillicores: 300 });
    return insert(record);
  });

  const version = await rig.versions.create(ANYBODY, id, null);

  assert.deepEqual([tries, version.versionNumber, version.cpuMillicores], [2, 1, 300]);
});

test('a function that changes all the time cannot be published, and the caller may try again', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id } = await withFunction(rig);
  t.mock.method(rig.store.versions, 'insert', () => Promise.resolve(false));

  await rejects(rig.versions.create(ANYBODY, id, null), 'CONFLICT', `Function ${id} is being changed.`);
});

test('versions that are published while packages come and go show what they keep', async (t) => {
  const rig = await openFunctionsRig(t);
  const { id, change } = await withFunction(rig, 'v0');
  const work: Promise<unknown>[] = [];
  for (let round = 1; round <= 8; round++) {
    work.push(change(`v${round}`), rig.versions.create(ANYBODY, id, null));
    if (round > 2) work.push(rig.versions.delete(ANYBODY, id, round - 2));
  }

  await Promise.all(work);

  const left = await collect(rig.versions.list(ANYBODY, id));
  assert.deepEqual(
    left.map(({ versionNumber }) => versionNumber),
    [7, 8],
  );
  for (const { versionNumber, packageDigest } of left) {
    const { stream } = await rig.versions.download(ANYBODY, id, versionNumber);
    assert.deepEqual(await buffer(stream), zipOf({ 'main.py': `v${versionNumber}` }));
    assert.ok(rig.files().includes(`packages/tars/${packageDigest}.tar`));
  }
  assert.equal(rig.files().length, 4);
  assert.deepEqual(rig.faults, []);
});

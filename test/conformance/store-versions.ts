import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionRecord, Store, VersionRecord } from '../../gateway/store/store.ts';
import { executionRecord, finalRecord, functionRecord, versionRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

/** A function and as many versions, each of a package of its own. */
async function publish({ functions, versions }: Store, count: number, change: Partial<FunctionRecord> = {}) {
  const first = functionRecord(change);
  await functions.insert(first);
  const published: VersionRecord[] = [];
  for (let number = 1; number <= count; number++) {
    const code = { source: 'package', md5sum: `md5 ${number}` } as const;
    const record = await functions.update(first.id, { code, packageDigest: `digest ${number}` });
    const version = versionRecord(record!, { description: `version ${number}` });
    assert.equal(await versions.insert(version), true);
    published.push(version);
  }
  return { functionId: first.id, published };
}

export function versionPromises(open: OpenStore): void {
  test('versions are read as they were written, by their numbers', async (t) => {
    const store = await open(t);
    const { functionId, published } = await publish(store, 3);
    await publish(store, 1);

    assert.deepEqual(await store.versions.list(functionId), published);
    assert.deepEqual(await store.versions.get(functionId, 2), published[1]);
    assert.equal(await store.versions.get(functionId, 4), undefined);
    assert.equal(await store.versions.get(functionId, 0), undefined);
    assert.equal(await store.versions.get('unknown', 1), undefined);
    assert.deepEqual(await store.versions.list('unknown'), []);
  });

  test('a version of a function without an entry of its own is read as it was written', async (t) => {
    const store = await open(t);
    const { functionId, published } = await publish(store, 1, { entry: null });

    assert.deepEqual(await store.versions.get(functionId, 1), published[0]);
  });

  test('a new version is the latest one of its function, which changes in nothing else', async (t) => {
    const { functions, versions } = await open(t);
    const record = functionRecord();
    await functions.insert(record);

    await versions.insert(versionRecord(record));

    const read = await functions.get(record.id, null);
    assert.ok(read!.updatedAt !== null);
    assert.deepEqual(read, { ...record, latestVersion: 1, updatedAt: read!.updatedAt });
  });

  test('a number is used once: not again after a delete, and the latest one does not go down', async (t) => {
    const store = await open(t);
    const { functionId, published } = await publish(store, 3);

    assert.equal(await store.versions.delete(functionId, 3), true);
    assert.equal(await store.versions.delete(functionId, 3), false);
    assert.equal(await store.versions.get(functionId, 3), undefined);
    assert.equal((await store.functions.get(functionId, null))!.latestVersion, 3);
    assert.equal(await store.versions.insert({ ...published[2]!, id: 'again' }), false);
    const next = versionRecord((await store.functions.get(functionId, null))!);
    assert.deepEqual([next.versionNumber, await store.versions.insert(next)], [4, true]);
    const numbers = (await store.versions.list(functionId)).map(({ versionNumber }) => versionNumber);
    assert.deepEqual(numbers, [1, 2, 4]);
  });

  test('of versions that come together under one number the first is added', async (t) => {
    const { functions, versions } = await open(t);
    const record = functionRecord();
    await functions.insert(record);
    const rivals = Array.from({ length: 5 }, () => versionRecord(record));

    const added = await Promise.all(rivals.map((rival) => versions.insert(rival)));

    assert.deepEqual(added, [true, false, false, false, false]);
    assert.deepEqual(await versions.list(record.id), [rivals[0]]);
  });

  test('a version is not added where its function is not, or not any more, what it shows', async (t) => {
    const { functions, versions } = await open(t);
    const record = functionRecord();
    await functions.insert(record);
    const others: Partial<VersionRecord>[] = [
      { functionId: 'unknown' },
      { versionNumber: 2 },
      { md5: 'other' },
      { packageDigest: 'other' },
      { entry: 'other.main' },
      { cpuMillicores: 101 },
      { memoryBytes: 1 },
      { timeoutSeconds: 6 },
    ];

    for (const other of others) assert.equal(await versions.insert(versionRecord(record, other)), false);

    assert.deepEqual(await versions.list(record.id), []);
    assert.deepEqual(await functions.get(record.id, null), record);
  });

  test('an execution is counted once: by its version, or by its function where that is 0', async (t) => {
    const store = await open(t);
    const { functionId, published } = await publish(store, 2);
    const run = (functionVersion: number) =>
      store.executions.insert(finalRecord({ functionId, functionVersion }), null);
    await Promise.all([run(1), run(0), run(1), run(2), run(1), run(7)]);
    await store.executions.insert(executionRecord({ functionId, functionVersion: 2 }), null);

    const [first, second] = await store.versions.list(functionId);
    assert.deepEqual([first!.count, second!.count], [3, 2]);
    assert.ok(first!.updatedAt !== null);
    assert.deepEqual(first, { ...published[0], count: 3, updatedAt: first!.updatedAt });
    assert.equal((await store.functions.get(functionId, null))!.count, 1);
  });

  test('executions of a failed group are not counted', async (t) => {
    const store = await open(t);
    const { functionId } = await publish(store, 1);
    const twice = finalRecord({ functionId, functionVersion: 1 });

    await Promise.allSettled([store.executions.insert(twice, null), store.executions.insert(twice, null)]);
    await store.executions.insert(finalRecord({ functionId, functionVersion: 1 }), null);

    assert.equal((await store.versions.get(functionId, 1))!.count, 1);
  });

  test('it is known which packages versions refer to', async (t) => {
    const store = await open(t);
    const { functionId } = await publish(store, 2);
    const known = async () => [
      await store.versions.hasMd5(functionId, 'md5 1'),
      await store.versions.hasMd5(functionId, 'md5 2'),
      await store.versions.hasPackageDigest('digest 1'),
      await store.versions.hasPackageDigest('digest 2'),
    ];

    assert.deepEqual(await known(), [true, true, true, true]);
    assert.equal(await store.versions.hasMd5('unknown', 'md5 1'), false);
    assert.equal(await store.versions.hasPackageDigest('digest'), false);
    await store.versions.delete(functionId, 1);
    assert.deepEqual(await known(), [false, true, false, true]);
  });

  test('a function goes with its versions, and with those of no other', async (t) => {
    const store = await open(t);
    const { functionId } = await publish(store, 2);
    const other = await publish(store, 2);

    await store.functions.delete(functionId);

    assert.deepEqual(await store.versions.list(functionId), []);
    assert.deepEqual(await store.versions.list(other.functionId), other.published);
  });
}

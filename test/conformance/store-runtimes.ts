import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntimeStatus } from '../../gateway/store/store.ts';
import { runtimeRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

export function runtimePromises(open: OpenStore): void {
  test('a runtime is read as it was written', async (t) => {
    const { runtimes } = await open(t);
    const full = runtimeRecord({ isPublic: true, status: RuntimeStatus.Error, statusReason: 'no disk', updatedAt: 7 });
    const bare = runtimeRecord({ name: null, description: null, isTrusted: false });
    await runtimes.insert(full);
    await runtimes.insert(bare);

    assert.deepEqual(await runtimes.get(full.id), full);
    assert.deepEqual(await runtimes.get(bare.id), bare);
    assert.equal(await runtimes.get('unknown'), undefined);
  });

  test('a project sees its own runtimes and all public ones, in the order of their creation', async (t) => {
    const { runtimes } = await open(t);
    const own = runtimeRecord({ projectId: 'a', createdAt: 3 });
    const shared = runtimeRecord({ projectId: 'b', isPublic: true, createdAt: 2 });
    const foreign = runtimeRecord({ projectId: 'b', createdAt: 1 });
    for (const record of [own, shared, foreign]) await runtimes.insert(record);

    assert.deepEqual(await runtimes.list('a'), [shared, own]);
    assert.deepEqual(await runtimes.list(null), [foreign, shared, own]);
  });

  test('a change of a runtime touches what it names and updatedAt', async (t) => {
    const { runtimes } = await open(t);
    const record = runtimeRecord();
    await runtimes.insert(record);

    const changed = await runtimes.update(record.id, { status: RuntimeStatus.Upgrading });

    assert.ok(changed !== undefined && changed.updatedAt !== null);
    assert.deepEqual(changed, { ...record, status: RuntimeStatus.Upgrading, updatedAt: changed.updatedAt });
    assert.deepEqual(await runtimes.get(record.id), changed);
    assert.equal(await runtimes.update('unknown', { name: 'x' }), undefined);
  });

  test('a runtime is deleted once', async (t) => {
    const { runtimes } = await open(t);
    const record = runtimeRecord();
    await runtimes.insert(record);

    assert.equal(await runtimes.delete(record.id), true);
    assert.equal(await runtimes.delete(record.id), false);
    assert.equal(await runtimes.get(record.id), undefined);
  });
}

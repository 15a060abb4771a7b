import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../support/collect.ts';
import { webhookRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

export function webhookPromises(open: OpenStore): void {
  test('a webhook is read as it was written', async (t) => {
    const { webhooks } = await open(t);
    const records = [
      webhookRecord({ description: 'of a push' }),
      webhookRecord({
        functionId: null,
        functionVersion: null,
        functionAlias: 'live',
        projectId: 'other',
        updatedAt: 9,
      }),
    ];
    for (const record of records) await webhooks.insert(record);

    for (const record of records) assert.deepEqual(await webhooks.get(record.id, null), record);
    assert.equal(await webhooks.get(records[1]!.id, 'default'), undefined);
    assert.equal(await webhooks.get('unknown', null), undefined);
    assert.deepEqual(await collect(webhooks.list({ scope: 'other', filters: [], limit: 9 })), records.slice(1));
    const second = { scope: null, filters: [], after: records[0]!, limit: 1 };
    assert.deepEqual(await collect(webhooks.list(second)), records.slice(1));
  });

  test('a change of a webhook touches what it names and updatedAt', async (t) => {
    const { webhooks } = await open(t);
    const record = webhookRecord();
    await webhooks.insert(record);

    const changed = await webhooks.update(record.id, {
      functionId: null,
      functionVersion: null,
      functionAlias: 'live',
    });

    assert.ok(changed !== undefined && changed.updatedAt !== null);
    const { updatedAt } = changed;
    const expected = { ...record, functionId: null, functionVersion: null, functionAlias: 'live', updatedAt };
    assert.deepEqual(changed, expected);
    assert.deepEqual(await webhooks.get(record.id, null), expected);
    assert.equal(await webhooks.update('unknown', { description: 'x' }), undefined);
  });

  test('it is known what webhooks refer to', async (t) => {
    const { webhooks } = await open(t);
    const byFunction = webhookRecord({ functionId: 'f', functionVersion: 2, projectId: 'other' });
    const byAlias = webhookRecord({ functionId: null, functionVersion: null, functionAlias: 'live' });
    await webhooks.insert(byFunction);
    await webhooks.insert(byAlias);

    const has = async () =>
      Promise.all([
        webhooks.has({ functionId: 'f' }),
        webhooks.has({ functionId: 'f', functionVersion: 2 }),
        webhooks.has({ functionId: 'f', functionVersion: 0 }),
        webhooks.has({ projectId: 'default', functionAlias: 'live' }),
        webhooks.has({ projectId: 'other', functionAlias: 'live' }),
      ]);
    assert.deepEqual(await has(), [true, true, false, true, false]);
    assert.equal(await webhooks.delete(byFunction.id), true);
    assert.equal(await webhooks.delete(byFunction.id), false);
    assert.equal(await webhooks.delete(byAlias.id), true);
    assert.deepEqual(await has(), [false, false, false, false, false]);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from '../../../../gateway/store/sqlite/database.ts';
import { openSqliteStore } from '../../../../gateway/store/sqlite/sqlite-store.ts';
import { executionRecord } from '../../../support/store-records.ts';
import { databasePath } from '../../../support/throw-away-store.ts';

test('running executions of a version that knew one gateway only are nobody’s, until one takes them over', async (t) => {
  const path = databasePath();
  const records = [executionRecord(), executionRecord({ isSync: false, isStarted: false })];
  const before = await openSqliteStore({ path, synchronous: 'normal', gatewayId: 'before' });
  for (const record of records) await before.executions.insert(record, null);
  await before.close();
  const database = openDatabase({ path, synchronous: 'normal' });
  database.exec('UPDATE executions SET gateway = NULL');
  database.close();
  const store = await openSqliteStore({ path, synchronous: 'normal', gatewayId: 'a' });
  t.after(() => store.close());

  assert.deepEqual(await store.executions.listUnstarted('a-function', undefined, 9), []);
  assert.deepEqual(await store.gateways.listOthers(), []);
  const taken = await store.executions.takeOver(null, 9);
  assert.deepEqual(new Set(taken.map(({ id }) => id)), new Set(records.map(({ id }) => id)));
  assert.deepEqual(await store.executions.listUnstarted('a-function', undefined, 9), records.slice(1));
});

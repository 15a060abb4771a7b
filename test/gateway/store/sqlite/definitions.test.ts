import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openSqliteStore } from '../../../../gateway/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../gateway/store/store.ts';
import { aliasRecord, finalRecord, functionRecord, versionRecord } from '../../../support/store-records.ts';
import { databasePath } from '../../../support/throw-away-store.ts';

/** Two stores on one database, as two gateways have them. */
async function openTwo(t: TestContext): Promise<[Store, Store]> {
  const path = databasePath();
  const open = async () => {
    const store = await openSqliteStore({ path, synchronous: 'normal' });
    t.after(() => store.close());
    return store;
  };
  return [await open(), await open()];
}

test('each change of a function, version or alias is seen by the other process, and not by its own', async (t) => {
  const [mine, theirs] = await openTwo(t);
  const record = functionRecord();
  const alias = aliasRecord();
  const changes: (() => Promise<unknown>)[] = [
    () => theirs.functions.insert(record),
    () => theirs.functions.update(record.id, { name: 'new' }),
    () => theirs.versions.insert(versionRecord(record)),
    () => theirs.aliases.insert(alias),
    () => theirs.aliases.update(alias.id, { functionVersion: 1 }),
    () => theirs.aliases.delete(alias.id),
    () => theirs.versions.delete(record.id, 1),
    () => theirs.functions.delete(record.id),
  ];
  const before = await theirs.foreignChanges();
  for (const change of changes) {
    const seen = await mine.foreignChanges();
    await change();
    assert.ok((await mine.foreignChanges()) > seen, String(change));
  }
  assert.equal(await theirs.foreignChanges(), before);
});

test('executions and their counts are no change', async (t) => {
  const [mine, theirs] = await openTwo(t);
  const record = functionRecord();
  await mine.functions.insert(record);
  const before = await mine.foreignChanges();

  await theirs.executions.insert(finalRecord({ functionId: record.id }), null);

  assert.equal(await mine.foreignChanges(), before);
});

test('changes of both processes at once hide none of the other from either', async (t) => {
  const [mine, theirs] = await openTwo(t);
  const before = [await mine.foreignChanges(), await theirs.foreignChanges()];
  for (let count = 0; count < 5; count++) {
    await Promise.all([mine.functions.insert(functionRecord()), theirs.functions.insert(functionRecord())]);
  }
  await theirs.functions.insert(functionRecord());

  assert.equal((await mine.foreignChanges()) - before[0]!, 6);
  assert.equal((await theirs.foreignChanges()) - before[1]!, 5);
});

test('a change that failed is none, for either process', async (t) => {
  const [mine, theirs] = await openTwo(t);
  const before = [await mine.foreignChanges(), await theirs.foreignChanges()];
  const twice = finalRecord();

  const group = [
    mine.functions.insert(functionRecord()),
    mine.executions.insert(twice, null),
    mine.executions.insert(twice, null),
  ];
  const ends = await Promise.allSettled(group);

  assert.ok(ends.every(({ status }) => status === 'rejected'));
  assert.deepEqual([await mine.foreignChanges(), await theirs.foreignChanges()], before);
});

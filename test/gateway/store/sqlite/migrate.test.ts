import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openDatabase, type Database } from '../../../../gateway/store/sqlite/database.ts';
import { migrate } from '../../../../gateway/store/sqlite/migrate.ts';
import { openSqliteStore } from '../../../../gateway/store/sqlite/sqlite-store.ts';
import { collect } from '../../../support/collect.ts';
import { finalRecord } from '../../../support/store-records.ts';
import { databasePath } from '../../../support/throw-away-store.ts';

const OPEN_STORE = fileURLToPath(new URL('./open-store.js', import.meta.url));

test('a database is brought up to date once, and keeps its records', async (t) => {
  const path = databasePath();
  const record = finalRecord();
  const first = await openSqliteStore({ path, synchronous: 'full' });
  await first.executions.insert(record, null);
  await first.close();

  const second = await openSqliteStore({ path, synchronous: 'normal' });
  t.after(() => second.close());

  assert.deepEqual(await second.executions.get(record.id, null), record);
});

test('processes that open a new database at the same time all can use it', async (t) => {
  const path = databasePath();
  const children = Array.from({ length: 4 }, (_, number) =>
    spawn(process.execPath, [OPEN_STORE, path, String(number)], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  t.after(() => children.forEach((child) => child.kill('SIGKILL')));

  const ends = children.map(async (child) => {
    const ended = once(child, 'close');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    child.stdin.end();
    return [line, ...(await ended)];
  });

  for (const end of await Promise.all(ends)) assert.deepEqual(end, ['written\n', 0, null]);
  const store = await openSqliteStore({ path, synchronous: 'normal' });
  t.after(() => store.close());
  assert.equal((await collect(store.executions.list({ scope: null, filters: [], limit: 9 }))).length, 4);
});

test('every migration is applied once, in the order of names', (t) => {
  const { database, folder } = openEmpty(t);
  writeFileSync(join(folder, '0002-more.sql'), 'INSERT INTO things VALUES (2)');
  writeFileSync(join(folder, '0001-init.sql'), 'CREATE TABLE things (number INTEGER); INSERT INTO things VALUES (1)');

  migrate(database, folder);
  writeFileSync(join(folder, '0010-last.sql'), 'INSERT INTO things VALUES (10)');
  migrate(database, folder);
  migrate(database, folder);

  assert.deepEqual(database.prepare('SELECT number FROM things').pluck().all(), [1, 2, 10]);
});

test('a migration that fails leaves nothing behind and is applied when it was mended', (t) => {
  const { database, folder } = openEmpty(t);
  writeFileSync(join(folder, '0001-init.sql'), 'CREATE TABLE things (number INTEGER); INSERT INTO nowhere VALUES (1)');
  assert.throws(() => migrate(database, folder), /nowhere/);

  writeFileSync(join(folder, '0001-init.sql'), 'CREATE TABLE things (number INTEGER)');
  migrate(database, folder);

  assert.deepEqual(database.prepare('SELECT number FROM things').all(), []);
});

test('a database of a newer version is refused by name of what it has', async () => {
  const path = databasePath();
  const store = await openSqliteStore({ path, synchronous: 'normal' });
  await store.close();
  const database = openDatabase({ path, synchronous: 'normal' });
  database.prepare('INSERT INTO migrations (name, checksum) VALUES (?, ?)').run('9999-future.sql', 'x');
  database.close();

  const opening = openSqliteStore({ path, synchronous: 'normal' });

  await assert.rejects(opening, /made by a newer version \(it has 9999-future\.sql\)/);
});

test('a migration that was edited after it was applied is refused', (t) => {
  const { database, folder } = openEmpty(t);
  writeFileSync(join(folder, '0001-init.sql'), 'CREATE TABLE things (number INTEGER)');
  migrate(database, folder);
  writeFileSync(join(folder, '0001-init.sql'), 'CREATE TABLE things (number TEXT)');

  assert.throws(() => migrate(database, folder), /0001-init\.sql was edited after it was applied/);
});

test('a file that is no database is refused', async () => {
  const path = databasePath();
  writeFileSync(path, 'not a database '.repeat(1_000));

  await assert.rejects(openSqliteStore({ path, synchronous: 'normal' }), /not a database/);
});

function openEmpty(t: TestContext): { database: Database; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-migrations-'));
  const database = openDatabase({ path: join(folder, 'database'), synchronous: 'normal' });
  t.after(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });
  return { database, folder };
}

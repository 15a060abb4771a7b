import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openDatabase, type Database } from '../../../../gateway/store/sqlite/database.ts';
import { SqliteAliases } from '../../../../gateway/store/sqlite/aliases.ts';
import { Definitions } from '../../../../gateway/store/sqlite/definitions.ts';
import { SqliteExecutions } from '../../../../gateway/store/sqlite/executions.ts';
import { textColumn } from '../../../../gateway/store/sqlite/filter.ts';
import { SqliteVersions } from '../../../../gateway/store/sqlite/versions.ts';
import { SqliteFunctions } from '../../../../gateway/store/sqlite/functions.ts';
import { GroupCommit } from '../../../../gateway/store/sqlite/group-commit.ts';
import { CHUNK_BYTES, CHUNK_ROWS, KeysetList, WINDOW_ROWS } from '../../../../gateway/store/sqlite/keyset-list.ts';
import { migrate } from '../../../../gateway/store/sqlite/migrate.ts';
import type { Filter } from '../../../../gateway/store/store.ts';
import { collect } from '../../../support/collect.ts';
import { aliasRecord, finalRecord, functionRecord } from '../../../support/store-records.ts';
import { databasePath } from '../../../support/throw-away-store.ts';

interface Row {
  number: number;
  text: string;
}

const ODD: Filter = { field: 'text', operator: 'has', values: ['odd'] };

test('where every row is wanted, one statement gives one chunk of at most so many rows', async (t) => {
  const { list, reads, fill } = openList(t);
  fill(2 * CHUNK_ROWS + 1, () => 'x');

  const chunks = await chunksOf(list.read([], undefined));

  assert.deepEqual(chunks, [CHUNK_ROWS, CHUNK_ROWS, 1]);
  assert.equal(reads(), 1 + 3);
});

test('a chunk ends with the row that makes it large', async (t) => {
  const { list, fill } = openList(t);
  fill(5, () => 'x'.repeat(CHUNK_BYTES / 2));

  assert.deepEqual(await chunksOf(list.read([], undefined)), [2, 2, 1]);
});

test('where rows are searched, one statement looks at a window of them', async (t) => {
  const { list, reads, fill } = openList(t);
  fill(3 * WINDOW_ROWS, (number) => (number === WINDOW_ROWS + 7 ? 'odd' : 'even'));

  const found = await collect(list.read([ODD], undefined));

  assert.deepEqual(found, [{ number: WINDOW_ROWS + 7, text: 'odd' }]);
  assert.equal(reads(), 1 + 3 + 1); // to prepare, a window each, and to see that there is nothing behind
});

test('a window with more rows than a chunk is not left before all of them were given', async (t) => {
  const { list, fill } = openList(t);
  fill(2 * WINDOW_ROWS, (number) => (number % 2 === 0 ? 'even' : 'odd'));

  const found = await collect(list.read([ODD], [10], 3 * CHUNK_ROWS));

  const expected = Array.from({ length: 3 * CHUNK_ROWS }, (_, index) => ({ number: 11 + 2 * index, text: 'odd' }));
  assert.deepEqual(found, expected);
});

test('no list sorts its table, or looks at rows that are not on its road', async (t) => {
  const { database, commit, statements } = openEmpty(t);
  migrate(database);
  const definitions = new Definitions(database, commit);
  const functions = new SqliteFunctions(database, commit, definitions);
  const versions = new SqliteVersions(database, commit, functions, definitions);
  const aliases = new SqliteAliases(database, commit, definitions);
  const executions = new SqliteExecutions(database, commit, functions, versions, 'a-gateway');
  await functions.insert(functionRecord({ projectId: 'p' }));
  await aliases.insert(aliasRecord({ projectId: 'p' }));
  await executions.insert(finalRecord({ projectId: 'p', functionId: 'f', description: 'd' }), null);
  const filter = (field: string, operator: Filter['operator'], ...values: string[]): Filter => ({
    field,
    operator,
    values,
  });
  const filters: Filter[][] = [
    [],
    [filter('status', 'neq', 'success')],
    [filter('status', 'eq', 'success')],
    [filter('status', 'eq', 'success'), filter('status', 'neq', 'success')],
    [filter('functionId', 'eq', 'f')],
    [filter('functionId', 'eq', 'f'), filter('functionId', 'eq', 'f'), filter('status', 'eq', 'failed')],
    [filter('functionId', 'in', 'f', 'g')],
    [filter('functionId', 'in', 'g'), filter('status', 'neq', 'success')],
    [filter('functionId', 'has', 'f')],
    [filter('description', 'has', 'd'), filter('status', 'lt', 'success')],
    [filter('projectId', 'neq', 'q')],
    [filter('projectId', 'eq', 'p'), filter('projectId', 'gt', 'o')],
  ];

  statements.length = 0;
  for (const scope of [null, 'p']) {
    for (const some of filters) await collect(executions.list({ scope, filters: some }));
    for (const some of filters) {
      const ofFunctions = some.filter(({ field }) => field === 'projectId' || field === 'description');
      await collect(functions.list({ scope, filters: ofFunctions }));
      const ofAliases = some.filter(({ field }) => field === 'projectId');
      await collect(aliases.list({ scope, filters: ofAliases }));
    }
  }

  assert.ok(statements.length > 20);
  for (const sql of new Set(statements)) {
    const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...marksOf(sql)) as { detail: string }[];
    const details = steps.map(({ detail }) => detail);
    const isWindow = sql.includes('LIMIT 1');
    assert.ok(
      details.some((detail) => /^SEARCH (executions|functions|function_aliases) USING .*>\(?\?/.test(detail)),
      `${sql}: ${details.join('; ')}`,
    );
    assert.ok(
      !details.some((detail) => /^SCAN (executions|functions|function_aliases)/.test(detail)),
      details.join('; '),
    );
    assert.ok(isWindow || !details.some((detail) => detail.includes('TEMP B-TREE')), details.join('; '));
  }
});

function openList(t: TestContext) {
  const { database, commit } = openEmpty(t);
  database.exec('CREATE TABLE rows (number INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO rows VALUES (?, ?)');
  const list = new KeysetList<Row>(database, commit, {
    table: 'rows',
    select: 'SELECT number, text',
    order: ['number'],
    start: [-1],
    columns: { text: textColumn('text') },
    roadOf: () => ({ index: 'NOT INDEXED', covered: [] }),
    bytesOf: ({ text }) => text.length,
  });
  let reads = 0;
  const read = commit.read.bind(commit);
  commit.read = (run) => {
    reads++;
    return read(run);
  };
  const fill = (count: number, textOf: (number: number) => string) =>
    database.transaction(() => {
      for (let number = 0; number < count; number++) insert.run(number, textOf(number));
    })();
  return { list, fill, reads: () => reads };
}

/** A database without tables, which keeps what is prepared. */
function openEmpty(t: TestContext) {
  const database = openDatabase({ path: databasePath(), synchronous: 'normal' });
  t.after(() => database.close());
  const statements: string[] = [];
  const prepare = database.prepare.bind(database);
  database.prepare = ((sql: string) => {
    if (!sql.startsWith('EXPLAIN')) statements.push(sql);
    return prepare(sql);
  }) as Database['prepare'];
  return { database, commit: new GroupCommit(database), statements };
}

async function chunksOf(chunks: AsyncIterable<readonly Row[]>): Promise<number[]> {
  const lengths: number[] = [];
  for await (const chunk of chunks) lengths.push(chunk.length);
  return lengths;
}

/** A value for each mark of a statement. */
function marksOf(sql: string): number[] {
  return Array.from({ length: sql.split('?').length - 1 }, () => 1);
}

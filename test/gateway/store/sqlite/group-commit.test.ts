import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openDatabase, type Database } from '../../../../gateway/store/sqlite/database.ts';
import { GroupCommit } from '../../../../gateway/store/sqlite/group-commit.ts';
import { databasePath } from '../../../support/throw-away-store.ts';

test('the writes of one turn share one transaction, in the order of their calls', async (t) => {
  const { commit, groups, add, numbers } = open(t);

  const written = await Promise.all([1, 2, 3].map((number) => add(number)));

  assert.deepEqual(written, [1, 2, 3]);
  assert.deepEqual(numbers(), [1, 2, 3]);
  assert.deepEqual(groups, ['applied']);
  await commit.write(() => undefined);
  assert.deepEqual(groups, ['applied', 'applied']);
});

test('nobody else sees a write before its group is committed', async (t) => {
  const { add, path } = open(t);
  const other = openDatabase({ path, synchronous: 'normal' });
  t.after(() => other.close());
  const count = () => other.prepare('SELECT count(*) FROM numbers').pluck().get();

  const write = add(1);

  assert.equal(count(), 0);
  await write;
  assert.equal(count(), 1);
});

test('a read commits what is pending first', async (t) => {
  const { commit, groups, add, numbers } = open(t);
  const write = add(1);

  const read = commit.read(numbers);

  assert.deepEqual(groups, ['applied']);
  assert.deepEqual(await read, [1]);
  assert.equal(await write, 1);
});

test('a write that throws fails its group, and the parts of the group are told', async (t) => {
  const { commit, groups, add, numbers } = open(t);
  const fault = new Error('no such thing');
  const failing = () => {
    throw fault;
  };

  const ends = await Promise.allSettled([add(1), commit.write(failing), add(2)]);

  const rejected = { status: 'rejected', reason: fault };
  assert.deepEqual(ends, [rejected, rejected, rejected]);
  assert.deepEqual(groups, ['discarded']);
  assert.deepEqual(numbers(), []);
  assert.equal(await add(3), 3);
});

test('a group whose commit fails leaves nothing behind', async (t) => {
  const { database, groups, add, numbers } = open(t);
  database.pragma('foreign_keys = ON');
  database.exec('CREATE TABLE children (parent REFERENCES numbers (number) DEFERRABLE INITIALLY DEFERRED)');
  const insertOrphan = database.prepare('INSERT INTO children (parent) VALUES (99)');

  const ends = await Promise.allSettled([add(1), add(2, () => insertOrphan.run())]);

  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(groups, ['applied', 'discarded']);
  assert.deepEqual(numbers(), []);
  assert.equal(database.inTransaction, false);
});

test('a group waits for another process without stopping this one, and readers wait for it', async (t) => {
  const { commit, groups, add, numbers, lock } = open(t);
  const unlock = lock();
  const [first, read] = [add(1), commit.read(numbers)];
  const second = add(2);
  const late = commit.read(numbers);
  let turns = 0;
  for (; turns < 100; turns++) await new Promise(setImmediate);

  assert.deepEqual(groups, []);
  unlock();

  assert.deepEqual(await Promise.all([first, second]), [1, 2]);
  assert.deepEqual(await Promise.all([read, late]), [
    [1, 2],
    [1, 2],
  ]);
  assert.deepEqual(groups, ['applied']);
});

test('a group that waits too long fails, and the next one is committed', async (t) => {
  const { commit, groups, add, numbers, lock } = open(t, 20);
  const unlock = lock();
  const write = add(1);
  const read = commit.read(numbers);

  await assert.rejects(write, { code: 'SQLITE_BUSY' });
  assert.deepEqual(await read, []);
  assert.deepEqual(groups, ['discarded']);
  unlock();
  assert.equal(await add(2), 2);
  assert.deepEqual(numbers(), [2]);
});

test('two writers of one database each commit all of theirs', async (t) => {
  const first = open(t);
  const second = connect(t, first.path);
  const written: Promise<number>[] = [];
  for (let number = 0; number < 1_000; number += 2) {
    written.push(first.add(number), second.add(number + 1));
    if (number % 20 === 0) await new Promise(setImmediate);
  }

  await Promise.all(written);

  assert.deepEqual(
    first.numbers(),
    Array.from({ length: 1_000 }, (_, number) => number),
  );
});

test('a failed read rejects, and so does a write on a closed database', async (t) => {
  const { commit, database, add } = open(t);
  const fault = new Error('not there');
  const failing = commit.read(() => {
    throw fault;
  });

  await assert.rejects(failing, fault);
  database.close();
  await assert.rejects(add(1), /not open/);
});

interface Opened {
  readonly path: string;
  readonly database: Database;
  readonly commit: GroupCommit;
  /** What became of the groups. */
  readonly groups: string[];
  readonly add: (number: number, also?: () => void) => Promise<number>;
  readonly numbers: () => unknown[];
  /** Keeps everybody from writing, as another process that writes does; until the function returned is called. */
  readonly lock: () => () => void;
}

function open(t: TestContext, longestWaitMs?: number): Opened {
  const path = databasePath();
  const database = openDatabase({ path, synchronous: 'normal' });
  database.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY)');
  database.close();
  return connect(t, path, longestWaitMs);
}

function connect(t: TestContext, path: string, longestWaitMs?: number): Opened {
  const database = openDatabase({ path, synchronous: 'normal' });
  t.after(() => database.close());
  const commit = new GroupCommit(database, longestWaitMs);
  const groups: string[] = [];
  commit.addPart({ apply: () => groups.push('applied'), discard: () => groups.push('discarded') });
  const insert = database.prepare('INSERT INTO numbers VALUES (?)');
  const add = (number: number, also?: () => void) =>
    commit.write(() => {
      insert.run(number);
      also?.();
      return number;
    });
  const numbers = () => database.prepare('SELECT number FROM numbers ORDER BY number').pluck().all();
  const lock = () => {
    const other = openDatabase({ path, synchronous: 'normal' });
    other.exec('BEGIN IMMEDIATE');
    return () => void other.close();
  };
  return { path, database, commit, groups, add, numbers, lock };
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from '../../../../gateway/store/sqlite/sqlite-store.ts';
import { finalRecord } from '../../../support/store-records.ts';
import { databasePath } from '../../../support/throw-away-store.ts';

const INSERT_UNTIL_KILLED = fileURLToPath(new URL('./insert-until-killed.js', import.meta.url));
const MIB = 1024 * 1024;

test('an execution whose promise resolved is there after the process was killed', async (t) => {
  const path = databasePath();
  const child = spawn(process.execPath, [INSERT_UNTIL_KILLED, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const ids: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    ids.push(line);
    if (ids.length === 500) child.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  if (ids.at(-1)!.length < ids[0]!.length) ids.pop(); // a line that the kill cut

  const store = await openSqliteStore({ path, synchronous: 'normal' });
  t.after(() => store.close());

  assert.ok(ids.length >= 500);
  for (const id of ids) assert.equal((await store.executions.get(id, null))?.id, id);
  assert.equal(Buffer.from((await store.executions.getLog(ids.at(-1)!))!.text).toString(), 'printed');
});

test('the write-ahead log does not grow for ever while the store is written', async (t) => {
  const path = databasePath();
  const faults: unknown[] = [];
  const store = await openSqliteStore({ path, synchronous: 'normal', onFault: (fault) => faults.push(fault) });
  t.after(() => store.close());
  const output = JSON.stringify('x'.repeat(MIB / 2));

  let logBytes = 0;
  let writtenBytes = 0;
  let writtenWithoutGrowth = 0;
  while (writtenWithoutGrowth < 32 * MIB) {
    const record = finalRecord({ output });
    await store.executions.insert(record, null);
    await store.executions.delete(record.id);
    const nowBytes = statSync(`${path}-wal`).size;
    writtenWithoutGrowth = nowBytes > logBytes ? 0 : writtenWithoutGrowth + output.length;
    logBytes = nowBytes;
    writtenBytes += output.length;
    assert.ok(writtenBytes < 4096 * MIB, `the log has ${logBytes} bytes and grows`);
  }
  assert.deepEqual(faults, []);
});

test('closing folds the write-ahead log into the database', async () => {
  const path = databasePath();
  const store = await openSqliteStore({ path, synchronous: 'normal' });
  await store.executions.insert(finalRecord(), null);

  await store.close();

  assert.equal(existsSync(`${path}-wal`), false);
});

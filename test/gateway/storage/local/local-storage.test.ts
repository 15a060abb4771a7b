import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { LocalStorage } from '../../../../gateway/storage/local/local-storage.ts';
import { emptyFolder } from '../../../support/folder.ts';

const KEY = { projectId: 'default', functionId: 'a-function', md5: '0'.repeat(32) };
const OTHER_FILE_SYSTEM = '/dev/shm';

test('nobody but the gateway reads the folders', async (t) => {
  const folder = emptyFolder(t);
  const path = join(folder, 'upload');
  writeFileSync(path, 'bytes', { mode: 0o600 });

  await new LocalStorage(join(folder, 'packages')).putZip(KEY, { path });

  for (const below of ['packages', 'packages/zips', 'packages/zips/default', 'packages/zips/default/a-function']) {
    assert.equal(statSync(join(folder, below)).mode & 0o077, 0, below);
  }
});

test('the last package of a function takes its folder with it', async (t) => {
  const folder = emptyFolder(t);
  const storage = new LocalStorage(folder);
  const keys = [KEY, { ...KEY, md5: '1'.repeat(32) }];
  for (const [index, key] of keys.entries()) {
    const path = join(folder, `upload${index}`);
    writeFileSync(path, 'bytes');
    await storage.putZip(key, { path });
  }

  await storage.deleteZip(keys[0]!);
  assert.deepEqual(readdirSync(join(folder, 'zips/default')), ['a-function']);
  await storage.deleteZip(keys[1]!);

  assert.deepEqual(readdirSync(join(folder, 'zips/default')), []);
});

test('an upload on another file system is taken over too', async (t) => {
  const folder = emptyFolder(t);
  let foreign: string;
  try {
    foreign = emptyFolder(t, OTHER_FILE_SYSTEM);
  } catch {
    return t.skip(`${OTHER_FILE_SYSTEM} cannot be written`);
  }
  if (statSync(foreign).dev === statSync(folder).dev) return t.skip('there is one file system only');
  const path = join(foreign, 'upload');
  writeFileSync(path, 'bytes');
  const storage = new LocalStorage(folder);

  await storage.putZip(KEY, { path });

  assert.equal(await text((await storage.openZip(KEY))!.stream), 'bytes');
  assert.deepEqual(readdirSync(foreign), []);
  assert.deepEqual(readdirSync(join(folder, 'zips/default/a-function')), [`${KEY.md5}.zip`]);
});

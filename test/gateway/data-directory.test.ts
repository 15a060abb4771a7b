import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataDirectory } from '../../gateway/data-directory.ts';
import { emptyFolder } from '../support/folder.ts';

test('a data directory is made with those above it, for its owner alone', (t) => {
  const path = join(emptyFolder(t), 'a/b/c');
  const data = new DataDirectory(path);
  t.after(() => data.close());
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.deepEqual([data.database, data.uploads], [join(path, 'qinling.sqlite'), join(path, 'uploads')]);
});

test('a data directory is one process’ at a time', (t) => {
  const path = emptyFolder(t);
  const first = new DataDirectory(path);
  assert.throws(() => new DataDirectory(path), { message: `the data directory ${path} is used by another gateway` });
  first.close();
  new DataDirectory(path).close();
});

test('a path where no folder can be is refused in one line', (t) => {
  const folder = emptyFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'data'), join(file, 'a/b'), '/proc/qinling', '/proc/qinling/data']) {
    assert.throws(() => new DataDirectory(path), {
      message: new RegExp(`^the data directory ${path} is not writable \\([A-Z]+\\)$`),
    });
  }
  assert.equal(existsSync(join(folder, 'file/data')), false);
});

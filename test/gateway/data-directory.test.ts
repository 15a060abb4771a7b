import assert from 'node:assert/strict';
import { cpSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DataDirectory } from '../../gateway/data-directory.ts';
import { emptyFolder } from '../support/folder.ts';

function idOf(path: string): string {
  const data = new DataDirectory(path);
  data.close();
  return data.gatewayId;
}

test('a gateway has the same id after a restart, and another in another folder', (t) => {
  const [first, second] = [emptyFolder(t), emptyFolder(t)];

  const id = idOf(first);

  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(idOf(first), id);
  assert.notEqual(idOf(second), id);
});

test('a copy of the folder is another gateway', (t) => {
  const [original, copy] = [emptyFolder(t), join(emptyFolder(t), 'copy')];
  const id = idOf(original);

  cpSync(original, copy, { recursive: true });

  const copied = idOf(copy);
  assert.notEqual(copied, id);
  assert.equal(idOf(copy), copied);
  assert.equal(idOf(original), id);
});

test('an id that a crash left half written is made anew', (t: TestContext) => {
  const folder = emptyFolder(t);
  for (const content of ['', 'x', '6f0b2b3c-9d3d-4d2b-8c7e-1f1f4a8b0a11', '6f0b2b3c-9d3d-4d2b-8c7e-1f1f4a8b0a11 1\n']) {
    writeFileSync(join(folder, 'gateway.id'), content);
    const id = idOf(folder);
    assert.notEqual(id, content.slice(0, 36));
    assert.equal(idOf(folder), id);
  }
});

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

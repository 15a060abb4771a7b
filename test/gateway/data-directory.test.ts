import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
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

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesIn } from '../../bench/folder-size.ts';

test('the files that are meant are counted, however deep they are', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-size-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'a', 'b'), { recursive: true });
  writeFileSync(join(folder, 'one.zip'), 'x'.repeat(10));
  writeFileSync(join(folder, 'a', 'b', 'two.zip'), 'x'.repeat(5));
  writeFileSync(join(folder, 'a', 'other'), 'x'.repeat(100));

  const isZip = (path: string) => path.endsWith('.zip');
  assert.equal(bytesIn(folder, isZip), 15);
});

test('a folder that is gone has nothing in it', () => {
  assert.equal(
    bytesIn(join(tmpdir(), 'qinling-nowhere'), () => true),
    0,
  );
});

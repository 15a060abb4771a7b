import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findRuntimes, readDefinitions } from '../../agent/runtime-catalog.ts';

/** A language `tongue` whose interpreter is put into place by the test. */
function makeRuntimes(t: TestContext, accept: string): { folder: string; runtimes: string } {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'qinling-catalog-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const runtimes = join(folder, 'runtimes');
  mkdirSync(join(runtimes, 'tongue'), { recursive: true });
  const definition = {
    name: 'tongue',
    description: 'A language',
    commands: ['tongue-of-tests'],
    probe: ['--version'],
    accept,
    run: ['{host}'],
    host: 'host.tongue',
    images: [],
  };
  writeFileSync(join(runtimes, 'tongue', 'runtime.json'), JSON.stringify(definition));
  return { folder, runtimes };
}

test('a runtime whose interpreter is missing is left out', async (t) => {
  const { runtimes } = makeRuntimes(t, '.');
  assert.deepEqual(await findRuntimes(runtimes, []), []);
});

test('an interpreter is found behind the shim of a version manager, by its real path', async (t) => {
  const { folder, runtimes } = makeRuntimes(t, '^v[0-9]');
  const [shims, links] = ['shims', 'links'].map((name) => join(folder, name));
  for (const path of [shims, links]) mkdirSync(path!);
  writeFileSync(join(shims!, 'tongue-of-tests'), '#!/bin/sh\necho v1\n', { mode: 0o755 });
  symlinkSync(process.execPath, join(links!, 'tongue-of-tests'));
  const [found] = await findRuntimes(runtimes, [shims!, links!]);
  assert.equal(found?.interpreter, realpathSync(process.execPath));
  assert.equal(found.version, process.version);
  assert.equal(found.hostFile, join(runtimes, 'tongue', 'host.tongue'));
});

test('an interpreter of another version than accepted is passed over', async (t) => {
  const { folder, runtimes } = makeRuntimes(t, '^v1\\.');
  symlinkSync(process.execPath, join(folder, 'tongue-of-tests'));
  assert.deepEqual(await findRuntimes(runtimes, [folder]), []);
});

test('a definition that is not readable is named', (t) => {
  const { runtimes } = makeRuntimes(t, '.');
  writeFileSync(join(runtimes, 'tongue', 'runtime.json'), '{');
  assert.throws(() => readDefinitions(runtimes), /tongue\/runtime\.json is not readable/);
});

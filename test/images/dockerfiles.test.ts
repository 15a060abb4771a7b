import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const RUNTIMES = join(PROJECT, 'runtimes');
const PRODUCT = 'manifests/images/qinling/Dockerfile';

/** What a Dockerfile copies out of its context: sources of COPY, without those of an earlier stage. */
function copiedFrom(dockerfile: string): string[] {
  const lines = readFileSync(join(PROJECT, dockerfile), 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));
}

test('images of runtimes are made of files that are there, the host of their language among them', () => {
  for (const { name } of readdirSync(RUNTIMES, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const { host } = JSON.parse(readFileSync(join(RUNTIMES, name, 'runtime.json'), 'utf8')) as { host: string };
    const sources = copiedFrom(`runtimes/${name}/Dockerfile`);
    assert.deepEqual(sources, [join(name, host)], name);
    for (const source of sources) assert.ok(existsSync(join(RUNTIMES, source)), source);
  }
});

test('the image of gateway and agent is of a system that uWebSockets.js runs on', () => {
  const bases = [...readFileSync(join(PROJECT, PRODUCT), 'utf8').matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  assert.deepEqual(new Set(bases), new Set(['node:24-trixie-slim']));
});

test('the image of gateway and agent is made of what its context is let to hold', () => {
  const allowed = readFileSync(join(PROJECT, '.dockerignore'), 'utf8').split('\n');
  const named = allowed.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  assert.equal(allowed[0], '**');
  for (const name of named) assert.ok(existsSync(join(PROJECT, name)), name);
  for (const source of copiedFrom(PRODUCT)) assert.ok(source === '.' || named.includes(source), source);
  // Everything that tsc is to translate.
  const { include } = JSON.parse(readFileSync(join(PROJECT, 'tsconfig.json'), 'utf8')) as { include: string[] };
  for (const pattern of include) assert.ok(named.includes(pattern.split('/')[0]!), pattern);
});

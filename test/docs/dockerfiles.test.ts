import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDERS = ['runtimes', 'manifests/images'];

const dockerfiles = FOLDERS.flatMap((folder) =>
  readdirSync(join(PROJECT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name, 'Dockerfile')),
);

for (const path of dockerfiles) {
  test(`${path} tells how it is built, and copies what is there`, () => {
    const text = readFileSync(join(PROJECT, path), 'utf8');
    const [, file, context = ''] = /docker build -f (\S+) -t \S+ (\S+)/.exec(text) ?? [];
    assert.equal(file, path);
    const copies = [...text.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, words = '']) =>
      words.split(' ').slice(0, -1),
    );
    assert.ok(copies.length > 0);
    for (const source of copies) assert.ok(existsSync(join(PROJECT, context, source)), source);
  });
}

test('the image of the product has a system that uWebSockets.js runs on, and none of our own build', () => {
  const text = readFileSync(join(PROJECT, 'manifests/images/qinling/Dockerfile'), 'utf8');
  const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  assert.deepEqual(new Set(bases), new Set(['node:24-trixie-slim']));
  const ignored = readFileSync(join(PROJECT, '.dockerignore'), 'utf8').split('\n');
  for (const folder of ['.git', 'build', 'node_modules']) assert.ok(ignored.includes(folder), folder);
});

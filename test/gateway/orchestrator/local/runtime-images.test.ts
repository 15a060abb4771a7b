import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RuntimeImages } from '../../../../gateway/orchestrator/local/runtime-images.ts';

const images = new RuntimeImages(fileURLToPath(new URL('../../../../../runtimes', import.meta.url)));

const MEANT: [image: string, runtime: string | undefined][] = [
  ['python3', 'python3'],
  ['python2', 'python2'],
  ['nodejs', 'nodejs'],
  ['openstackqinling/python3-runtime', 'python3'],
  ['openstackqinling/python3-runtime:0.0.1', 'python3'],
  ['registry.example:5000/openstackqinling/python3-runtime', 'python3'],
  ['registry.example:5000/openstackqinling/python3-runtime:latest', 'python3'],
  [`openstackqinling/python3-runtime@sha256:${'0'.repeat(64)}`, 'python3'],
  ['openstackqinling/nodejs-runtime', 'nodejs'],
  ['me/NodeJS-Runtime', 'nodejs'],
  ['openstackqinling/python-runtime:0.0.6', images.runtimeOf('DOCKER_USER/python-runtime')],
  ['ubuntu', undefined],
  ['me/cobol-runtime', undefined],
  ['', undefined],
];

test('an image tells its language, whatever its registry, tag or digest', () => {
  for (const [image, runtime] of MEANT) assert.equal(images.runtimeOf(image), runtime, image);
});

test('the image of the quick start of 2017 is Python', () => {
  assert.match(images.runtimeOf('DOCKER_USER/python-runtime') ?? '', /^python[23]$/);
  assert.match(images.runtimeOf('lingxiankong/python-runtime') ?? '', /^python[23]$/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RuntimeImages } from '../../../gateway/orchestrator/runtime-images.ts';

const images = new RuntimeImages(fileURLToPath(new URL('../../../../runtimes', import.meta.url)));

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

test('the name of an image hints at its languages, the likeliest first', () => {
  const hints = {
    'myteam/python-with-numpy:3': ['python3', 'python2'],
    'docker.io/library/python:2.7-slim': ['python3', 'python2'],
    'lingxiankong/python-runtime': ['python3', 'python2'],
    'example.org:5000/team/node-runtime@sha256:00': ['nodejs'],
    'ruby:3.3-alpine': ['ruby'],
    'acme/python2-runtime': ['python2'],
    'acme/thing:1': [],
  };
  for (const [image, expected] of Object.entries(hints))
    assert.deepEqual(images.likelyRuntimes(image), expected, image);
});

test('only the bare name of a runtime is a name', () => {
  assert.deepEqual(
    ['python3', 'python3:1', 'team/python3', 'python', 'nodejs'].map((image) => images.isName(image)),
    [true, false, false, false, true],
  );
});

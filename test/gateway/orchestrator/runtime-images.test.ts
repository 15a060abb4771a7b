import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RuntimeImages } from '../../../gateway/orchestrator/runtime-images.ts';

const images = new RuntimeImages(fileURLToPath(new URL('../../../../runtimes', import.meta.url)));

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

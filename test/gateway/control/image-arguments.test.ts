import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseInput } from '../../../gateway/api/input.ts';
import { imageArguments } from '../../../gateway/control/image-arguments.ts';

/** From what a caller sends to what the container gets. */
const argumentsOf = (input: unknown) => imageArguments(parseInput(input) ?? '');

test('arguments are the words of a text, the items of a list, or the JSON text of an object', () => {
  assert.equal(argumentsOf(null), undefined);
  assert.equal(argumentsOf(''), undefined);
  assert.deepEqual(argumentsOf('  one  two\nthree '), ['one', 'two', 'three']);
  assert.deepEqual(argumentsOf('6'), ['6']);
  assert.deepEqual(argumentsOf({ __function_input: ['a b', 1, null, { c: [true] }] }), [
    'a b',
    '1',
    'null',
    '{"c":[true]}',
  ]);
  assert.deepEqual(argumentsOf({ key: 'a b' }), ['{"key": "a b"}']);
  assert.deepEqual(argumentsOf({ __function_input: 'p', q: 1 }), ['{"__function_input": "p", "q": 1}']);
  assert.deepEqual(argumentsOf({}), ['{}']);
});

test('every input makes texts', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.jsonValue()), (input) => {
      const given = argumentsOf(input) ?? [];
      assert.ok(given.every((argument) => typeof argument === 'string'));
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonMembers } from '../../../gateway/api/json-members.ts';

test('values stand as they were written, numbers with all their digits', () => {
  const text =
    ' { "id" : 12345678901234567890 , "price":1.50,\n"deep":{"a":[1,{"}":"],{"}]}, "\\u0069d":2 ,"text":"a,b}\\"" } ';

  assert.deepEqual(
    [...jsonMembers(text)!],
    [
      ['id', '2'],
      ['price', '1.50'],
      ['deep', '{"a":[1,{"}":"],{"}]}'],
      ['text', '"a,b}\\""'],
    ],
  );
});

test('what is no object has no members', () => {
  for (const text of ['', '[]', '[{}]', 'null', '1', '"{}"', '{', '{"a":1}x', "{'a': 1}", '{"a":}']) {
    assert.equal(jsonMembers(text), undefined, text);
  }
  assert.deepEqual([...jsonMembers(' { } ')!], []);
});

test('the members of any object are those that JSON.parse finds', () => {
  const objects = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue());
  const spaces = fc.constantFrom(undefined, 2, '\t');
  fc.assert(
    fc.property(objects, spaces, (value, space) => {
      const text = JSON.stringify(value, null, space);
      const members = jsonMembers(text)!;
      const parsed = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual([...members.keys()].sort(), Object.keys(parsed).sort());
      for (const [name, json] of members) assert.deepEqual(JSON.parse(json), parsed[name]);
    }),
    { numRuns: 500 },
  );
});

test('any text has members exactly where JSON.parse sees an object', () => {
  const marks = fc.array(fc.constantFrom('{', '}', '[', ']', '"', 'a', ':', ',', '1', ' ', '\\', 'null'), {
    maxLength: 14,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        marks.map((parts) => parts.join('')),
        fc.json(),
      ),
      (text) => {
        assert.equal(jsonMembers(text) !== undefined, isObject(text), text);
      },
    ),
    { numRuns: 5_000 },
  );
});

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

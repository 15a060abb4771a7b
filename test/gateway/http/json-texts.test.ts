import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EscapedText, inJsonString, joinTexts } from '../../../gateway/http/json-texts.ts';

const LONG = 16 * 1024;

/** The same text, bytes or not. */
const textOf = (joined: string | Uint8Array) => Buffer.from(joined as Uint8Array).toString();

/** Runs of plain text, short or long, with what must be escaped in between: everything that a string may hold. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.nat(3_000).map((length) => 'x'.repeat(length)),
      fc.nat(2_000).map((length) => 'ü€'.repeat(length)),
      fc.constantFrom('"', '\\', '\n', '\u0000', '\u001f', '\ud83d', '\ude00', '😀', '\u2028', '"'.repeat(500)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

test('a long text in a JSON string is the text that JSON.stringify makes', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const joined = textOf(joinTexts(['"', new EscapedText(text), '"']));
      assert.equal(joined, JSON.stringify(text));
      assert.equal(joined, `"${new EscapedText(text).toString()}"`);
    }),
  );
});

test('texts are joined in their order, short or long, and once or twice', () => {
  fc.assert(
    fc.property(anyText, anyText, anyText, (start, first, second) => {
      const [one, two] = [inJsonString(first), inJsonString(second)];
      const wanted = `${start}${[first, second, second, first].map((text) => JSON.stringify(text).slice(1, -1)).join('ü')}`;
      const wellFormed = Buffer.from(wanted).toString(); // halves of characters in `start` are not ours to mend
      assert.equal(textOf(joinTexts([start, one, 'ü', two, 'ü', two, 'ü', one])), wellFormed);
    }),
  );
});

test('short texts stay a text, long ones become bytes', () => {
  assert.equal(joinTexts(['{"a":"', inJsonString('b'.repeat(LONG - 1)), '"}']), `{"a":"${'b'.repeat(LONG - 1)}"}`);
  assert.ok(joinTexts(['{"a":"', inJsonString('b'.repeat(LONG)), '"}']) instanceof Uint8Array);
});

test('a text of nothing but what must be escaped fits, however long', () => {
  for (const bytes of [LONG, 6 * 1024 * 1024]) {
    const text = '\u0001'.repeat(bytes);
    assert.equal(textOf(joinTexts([inJsonString(text)])), '\\u0001'.repeat(bytes));
  }
});

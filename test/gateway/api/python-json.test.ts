import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseInput, renderInput } from '../../../gateway/api/input.ts';
import { pythonJson, pythonJsonText } from '../../../gateway/api/python-json.ts';
import { emptyFolder } from '../../support/folder.ts';
import { hasPrograms, runProgram } from '../../support/tools.ts';

const SAMPLES = 2_000;
const RUNS = 1_000;

/** Reads a JSON array of JSON texts, and writes the texts that Python makes of them. */
const PYTHON = `
import json, sys
with open(sys.argv[1]) as file:
    texts = json.load(file)
print(json.dumps([json.dumps(json.loads(text)) for text in texts]))
`;

/** Numbers that both languages write alike (ours keep the digits that they came with). */
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.integer().map((n) => n + 0.5),
  fc
    .integer({ min: -1_000, max: 1_000 })
    .map((n) => n / 8)
    .filter((n) => !Number.isInteger(n)),
);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      '\\',
      '/',
      '\b',
      '\f',
      '\n',
      '\r',
      '\t',
      '\0',
      '\x1f',
      '\x7f',
      '\u2028',
      '\ud800',
      '\udc00',
      '🙂',
      ',',
      ':',
      ' ',
    ),
    maxLength: 10,
  }),
);
const { value } = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(text, tie('value'), { maxKeys: 4, noNullPrototype: true }),
}));
const object = fc.dictionary(text, value, { maxKeys: 5, noNullPrototype: true });

/** Valid JSON text of a value, with spaces where they may be. */
const spaced = fc
  .tuple(value, fc.constantFrom(undefined, 1, '\t', '\r\n '))
  .map(([any, indent]) => JSON.stringify(any, null, indent));

test('JSON text is that of Python, to the byte', async (t) => {
  if (!hasPrograms(t, { python3: 'python3' })) return;
  const texts = fc.sample(spaced, SAMPLES);
  const file = join(emptyFolder(t), 'texts.json');
  writeFileSync(file, JSON.stringify(texts));
  const { code, stdout, stderr } = await runProgram('python3', ['-c', PYTHON, file]);
  assert.equal(code, 0, stderr);
  const expected = JSON.parse(stdout) as string[];
  for (const [index, given] of texts.entries()) {
    assert.equal(pythonJsonText(given), expected[index], given);
    assert.equal(pythonJson(JSON.parse(given)), expected[index], given);
  }
});

test('numbers keep every digit', () => {
  for (const digits of [
    '1.0',
    '1.50',
    '12345678901234567890',
    '1e400',
    '1E-7',
    '-0',
    '0.1000000000000000055511151231257827',
  ]) {
    assert.equal(pythonJsonText(`[ ${digits},{"a":${digits} } ]`), `[${digits}, {"a": ${digits}}]`);
  }
});

test('text that is no JSON has no JSON text of Python', () => {
  for (const given of ['', '{', "{'a': 1}", '[1,]', 'NaN', '{"a": 1} x', '"\t"', '\ufeff{}']) {
    assert.equal(pythonJsonText(given), undefined, given);
  }
});

test('JSON that is nested too deeply to be written again is refused, as a value and as text', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(pythonJsonText(nested(500)), nested(500));
  assert.equal(pythonJson(JSON.parse(nested(500))), nested(500));
  const brackets = JSON.stringify({
    text: nested(100_000),
    escaped: `"${nested(1_000)}\\`,
    list: Array(1_000).fill([{}]),
  });
  assert.doesNotThrow(() => pythonJsonText(brackets), 'what is in texts, or beside each other, is not nested');
  for (const depth of [501, 1_000, 100_000]) {
    for (const text of [nested(depth), '{"a":'.repeat(depth) + '1' + '}'.repeat(depth), `{"a": ${nested(depth)}}`]) {
      assert.throws(() => pythonJsonText(text), { code: 'INVALID_INPUT' });
      assert.throws(() => pythonJson(JSON.parse(text)), { code: 'INVALID_INPUT' });
      assert.throws(() => parseInput(`{"__function_input": ${text}}`), { code: 'INVALID_INPUT' });
    }
  }
});

test('an object reaches the language host as it was sent', () => {
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 2), (input, indent) => {
      const sent = JSON.stringify(input, null, indent);
      for (const received of [parseInput(sent), parseInput(JSON.parse(sent))]) {
        assert.deepEqual(JSON.parse(received!), JSON.parse(sent));
        assert.deepEqual(JSON.parse(renderInput(received)!), JSON.parse(sent));
        assert.match(received!, /^[\x20-\x7e]*$/);
      }
    }),
    { numRuns: RUNS },
  );
});

test('any other text reaches the language host as one positional argument, and is shown as it was sent', () => {
  const isObject = (given: string) => {
    try {
      const parsed: unknown = JSON.parse(given);
      return parsed === null || (typeof parsed === 'object' && !Array.isArray(parsed));
    } catch {
      return false;
    }
  };
  const noObject = fc.oneof(text, spaced).filter((given) => given !== '' && !isObject(given));
  fc.assert(
    fc.property(noObject, (sent) => {
      const received = parseInput(sent)!;
      assert.deepEqual(JSON.parse(received), { __function_input: sent });
      assert.equal(renderInput(received), sent);
    }),
    { numRuns: RUNS },
  );
});

test('a positional value of an object is shown alone', () => {
  fc.assert(
    fc.property(value, object, (positional, rest) => {
      const received = parseInput({ ...rest, __function_input: positional })!;
      assert.deepEqual(JSON.parse(received), JSON.parse(JSON.stringify({ ...rest, __function_input: positional })));
      assert.equal(renderInput(received), typeof positional === 'string' ? positional : pythonJson(positional));
    }),
    { numRuns: RUNS },
  );
});

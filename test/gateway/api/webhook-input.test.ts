import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readWebhookInput } from '../../../gateway/api/webhook-input.ts';
import { QinlingError } from '../../../gateway/errors.ts';

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';

interface Call {
  readonly query?: string;
  readonly type?: string;
  readonly body?: string | Uint8Array;
}

const read = ({ query = '', type = '', body = '' }: Call) => readWebhookInput(query, type, Buffer.from(body));

const KNOWN: readonly (readonly [what: string, call: Call, input: string])[] = [
  ['nothing', {}, '{}'],
  ['a form', { type: FORM, body: 'name=qinling&n=1' }, '{"name": "qinling", "n": "1"}'],
  ['a form with a charset', { type: `${FORM}; charset=utf-8`, body: 'name=%C3%BC+x' }, '{"name": "\\u00fc x"}'],
  ['a form with a name twice', { type: FORM, body: 'a=1&b=2&a=3' }, '{"a": ["1", "3"], "b": "2"}'],
  ['an empty form', { type: FORM }, '{}'],
  [
    'a JSON object',
    { type: JSON_TYPE, body: '{"a":{"b":[1,"ü"]},"n":null}' },
    '{"a": {"b": [1, "\\u00fc"]}, "n": null}',
  ],
  ['JSON of another kind', { type: 'application/cloudevents+json; x=y', body: '{"a":1}' }, '{"a": 1}'],
  [
    'large numbers',
    { type: JSON_TYPE, body: '{"id":12345678901234567890,"p":1.0}' },
    '{"id": 12345678901234567890, "p": 1.0}',
  ],
  ['a query', { query: 'a=1&b=&c&d=%7B%7D' }, '{"a": "1", "b": "", "c": "", "d": "{}"}'],
  ['a query with a name twice', { query: 'a=1&a=2' }, '{"a": ["1", "2"]}'],
  ['a query and a form', { query: 'a=q&b=q', type: FORM, body: 'a=body' }, '{"a": ["q", "body"], "b": "q"}'],
  ['a query and JSON', { query: 'a=q', type: JSON_TYPE, body: '{"a":[1],"id":7}' }, '{"a": ["q", [1]], "id": 7}'],
  ['the name id', { query: 'id=1' }, '{"id": "1"}'],
  ['names that objects inherit', { query: '__proto__=1&constructor=2' }, '{"__proto__": "1", "constructor": "2"}'],
  ['text', { type: 'text/plain', body: 'name=qinling' }, '{}'],
  ['a body of no type', { body: '{"a":1}' }, '{}'],
  ['a JSON list', { type: JSON_TYPE, body: '[1]', query: 'a=1' }, '{"a": "1"}'],
  ['JSON null', { type: JSON_TYPE, body: 'null' }, '{}'],
  ['a query that is encoded badly', { query: 'a=%zz' }, '{"a": "%zz"}'],
];
for (const [what, call, input] of KNOWN) {
  test(`a call with ${what} gives ${input.slice(0, 60)}`, async () => {
    assert.equal(await read(call), input);
  });
}

function multipart(parts: readonly string[]): Call {
  const body = `${parts.map((part) => `--X\r\nContent-Disposition: form-data; ${part}\r\n`).join('')}--X--\r\n`;
  return { type: 'multipart/form-data; boundary=X', body };
}

test('the text fields of a multipart form are taken, its files are refused', async () => {
  assert.equal(
    await read(multipart(['name="a"\r\n\r\n1', 'name="b"\r\n\r\n', 'name="a"\r\n\r\nü'])),
    '{"a": ["1", "\\u00fc"], "b": ""}',
  );
  const file = multipart(['name="a"\r\n\r\n1', 'name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\ntext']);
  await assert.rejects(read(file), refusal('The form field f is a file: only text is taken.'));
});

const many = (count: number) => Array.from({ length: count }, (_, at) => `a${at}=1`).join('&');
const REFUSED: readonly (readonly [what: string, call: Call, message: string])[] = [
  ['JSON that is none', { type: JSON_TYPE, body: '{"a":' }, 'Request is not in valid JSON format'],
  [
    'a multipart form without a boundary',
    { type: 'multipart/form-data', body: 'x' },
    'The form is not readable: its content type has no boundary.',
  ],
  [
    'a multipart form that breaks off',
    { type: 'multipart/form-data; boundary=X', body: '--X\r\nContent-Dis' },
    'The form is not readable.',
  ],
  ['too many fields', { type: FORM, body: many(1_001) }, 'The form has too many parts.'],
  ['too many query arguments', { query: many(1_001) }, 'Too many query arguments.'],
  [
    'too long a name',
    { type: FORM, body: `${'n'.repeat(201)}=1` },
    `The form field ${'n'.repeat(100)} has too long a name.`,
  ],
];
for (const [what, call, message] of REFUSED) {
  test(`a call with ${what} is refused`, () => assert.rejects(read(call), refusal(message)));
}

test('a form of a thousand fields is taken, however long one of them is', async () => {
  assert.equal(Object.keys(JSON.parse(await read({ type: FORM, body: many(1_000) })) as object).length, 1_000);
  const long = 'x'.repeat(3 * 1024 * 1024);
  assert.equal(await read({ type: FORM, body: `a=${long}` }), `{"a": "${long}"}`);
});

const texts = fc.string({ unit: 'grapheme', maxLength: 8 });
const names = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 4 });
const pairs = fc.array(fc.tuple(names, texts), { maxLength: 8 });

/** What the function gets of members: one value, or the list of those of the same name. */
function merged(members: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const lists = new Map<string, unknown[]>();
  for (const [name, value] of members) lists.set(name, [...(lists.get(name) ?? []), value]);
  return Object.fromEntries([...lists].map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}

test('whatever query and form hold reaches the function', async () => {
  await fc.assert(
    fc.asyncProperty(pairs, pairs, async (query, form) => {
      const encode = (members: [string, string][]) => new URLSearchParams(members).toString();
      const input = await read({ query: encode(query), type: FORM, body: encode(form) });
      assert.deepEqual(JSON.parse(input), merged([...query, ...form]));
      assert.ok(/^[\x20-\x7e]*$/.test(input), 'the text is Python-like ASCII');
    }),
  );
});

test('whatever query and JSON hold reaches the function', async () => {
  await fc.assert(
    fc.asyncProperty(pairs, fc.dictionary(names, fc.jsonValue()), async (query, object) => {
      const body = JSON.stringify(object);
      const input = await read({ query: new URLSearchParams(query).toString(), type: JSON_TYPE, body });
      const given = Object.entries(JSON.parse(body) as Record<string, unknown>);
      assert.deepEqual(JSON.parse(input), merged([...query, ...given]));
    }),
  );
});

test('any bytes of any type are an object or a 400', async () => {
  const types = fc.constantFrom(
    '',
    FORM,
    JSON_TYPE,
    'multipart/form-data; boundary=X',
    'multipart/form-data',
    'text/plain',
    ';',
  );
  const marks = fc.array(
    fc.constantFrom(
      '--X',
      '\r\n',
      '--',
      'Content-Disposition: form-data; name="a"',
      ': ',
      '; filename="f"',
      '{',
      '}',
      '"',
      '=',
      '&',
      '%',
    ),
    { maxLength: 20 },
  );
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    marks.map((parts) => Buffer.from(parts.join(''))),
  );
  await fc.assert(
    fc.asyncProperty(fc.string(), types, bodies, async (query, type, body) => {
      try {
        const value: unknown = JSON.parse(await read({ query, type, body }));
        assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value));
      } catch (error) {
        assert.ok(error instanceof QinlingError && error.httpStatus === 400, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

function refusal(message: string) {
  return (error: QinlingError) => error.httpStatus === 400 && error.message === message;
}

test('JSON that is nested so deeply that it could not be shown is refused', async () => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  for (const body of [deep, `{"a": ${deep}}`, `{"__function_input": ${deep}}`]) {
    await assert.rejects(read({ type: JSON_TYPE, body }), { code: 'INVALID_INPUT' });
  }
});

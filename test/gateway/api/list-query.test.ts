import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseListQuery, queryArguments } from '../../../gateway/api/list-query.ts';
import { PROJECT_ARGUMENTS, type QueryArguments } from '../../../gateway/api/operation.ts';
import { PAGING_ARGUMENTS, parsePaging } from '../../../gateway/api/paging.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import type { Filter, FilterOperator } from '../../../gateway/store/store.ts';

const DECLARED: QueryArguments = {
  status: { schema: { type: 'string' }, help: '', filter: 'status' },
  function_id: { schema: { type: 'string' }, help: '', filter: 'functionId' },
  ...PROJECT_ARGUMENTS,
  ...PAGING_ARGUMENTS,
};
const ONE: readonly FilterOperator[] = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'has'];
const MANY: readonly FilterOperator[] = ['in', 'nin'];

const parse = (query: string) => parseListQuery(query, DECLARED);
const filtersOf = (query: string) => parse(query).map(({ operator, values }) => [operator, ...values]);

const PLAIN: [string, ...string[]][] = [
  ['status=success', 'eq', 'success'],
  ['status=', 'eq', ''],
  ['status', 'eq', ''],
  ['status=a=b', 'eq', 'a=b'],
  ['st%61tus=a', 'eq', 'a'],
  ['status=eq:eq:a', 'eq', 'eq:a'],
  ['status=a:b', 'eq', 'a:b'],
  ['status=12:30', 'eq', '12:30'],
  ['status=EQ:a', 'eq', 'EQ:a'],
  ['status=neqx:a', 'eq', 'neqx:a'],
  ['status=:a', 'eq', ':a'],
  ['status=neq', 'eq', 'neq'],
  ['status=neq:', 'neq', ''],
  ['status=%6eeq:a', 'eq', 'neq:a'],
  ['status=neq%3Aa', 'neq', 'a'],
  ['status=neq%3aa%3Ab', 'neq', 'a:b'],
  ['status=has:Created+by%20Job', 'has', 'Created by Job'],
  ['status=has:a%2Bb', 'has', 'a+b'],
  ['status=has:100%25_', 'has', '100%_'],
  ['status=has:a,b', 'has', 'a,b'],
  ['status=in:a,b', 'in', 'a', 'b'],
  ['status=in:', 'in', ''],
  ['status=in:a,,b', 'in', 'a', '', 'b'],
  ['status=in:a%2Cb,c', 'in', 'a,b', 'c'],
  ['status=nin%3Aa%2Cb,c', 'nin', 'a', 'b', 'c'],
  ['status=gr%C3%BC%C3%9Fe%26', 'eq', 'grüße&'],
  ['&&status=a&', 'eq', 'a'],
];
for (const [query, ...filter] of PLAIN) {
  test(`${query} is the filter ${filter.join(' ')}`, () => {
    assert.deepEqual(filtersOf(query), [filter]);
  });
}

const REFUSED: [string, string][] = [
  ['sort_key=id', 'Unknown argument: "sort_key"'],
  ['status=a&STATUS=b', 'Unknown argument: "STATUS"'],
  ['__proto__=a', 'Unknown argument: "__proto__"'],
  ['toString=a', 'Unknown argument: "toString"'],
  [`${'x'.repeat(300)}=a`, `Unknown argument: "${'x'.repeat(100)}"`],
  ['status=%', 'The query is not percent-encoded properly.'],
  ['status=in:a,%zz', 'The query is not percent-encoded properly.'],
  ['%ff=a', 'The query is not percent-encoded properly.'],
  [
    'all_projects=maybe',
    "Invalid input for field/attribute all_projects. Value: 'maybe'. Wrong type. Expected a boolean.",
  ],
  ['status=a&'.repeat(51), 'Too many query arguments.'],
  [`status=in:${'a,'.repeat(500)}`, 'More than 500 values in a filter.'],
];
for (const [query, message] of REFUSED) {
  test(`${query.slice(0, 40)} is refused`, () => {
    assert.throws(() => parse(query), { code: 'INVALID_INPUT', message });
  });
}

const FROM_1_TO_1000 = 'Value should be from 1 to 1000.';
const MARKER = '0197f0c0-0000-7000-8000-0123456789ab';
const BAD_PAGES: [string, string][] = [
  ['limit=0', `Invalid input for field/attribute limit. Value: '0'. ${FROM_1_TO_1000}`],
  ['limit=1001', `Invalid input for field/attribute limit. Value: '1001'. ${FROM_1_TO_1000}`],
  ['limit=-5', `Invalid input for field/attribute limit. Value: '-5'. ${FROM_1_TO_1000}`],
  ['limit=', "Invalid input for field/attribute limit. Value: ''. Wrong type. Expected an integer."],
  ['limit=1.5', "Invalid input for field/attribute limit. Value: '1.5'. Wrong type. Expected an integer."],
  ['limit=eq:5', "Invalid input for field/attribute limit. Value: 'eq:5'. Wrong type. Expected an integer."],
  ['limit=1&limit=2', 'The argument "limit" is given twice.'],
  ['marker=x', "Invalid input for field/attribute marker. Value: 'x'. Value should be UUID format."],
  [`marker=${MARKER}&marker=${MARKER}`, 'The argument "marker" is given twice.'],
];
for (const [query, message] of BAD_PAGES) {
  test(`the page ${query.slice(0, 20)} is refused`, () => {
    assert.throws(() => parsePaging(query), { code: 'INVALID_INPUT', message });
  });
}

test('a page is a limit, a marker, both or neither', () => {
  assert.deepEqual(parsePaging('status=a'), { limit: undefined, marker: undefined });
  assert.deepEqual(parsePaging('limit=1000'), { limit: 1000, marker: undefined });
  assert.deepEqual(parsePaging(`marker=${MARKER.toUpperCase()}&status=b&limit=1`), { limit: 1, marker: MARKER });
  assert.deepEqual(parse(`limit=5&marker=${MARKER}`), []);
});

test('what a resource without filters is not asked for is refused', () => {
  assert.deepEqual(queryArguments('download=true', ['download']), new Map([['download', 'true']]));
  assert.throws(() => queryArguments('downlod=true', ['download']), { message: 'Unknown argument: "downlod"' });
});

test('filters of any text are read as they were meant, however they are encoded', () => {
  const property = fc.property(fc.array(meantFilter, { maxLength: 10 }), (meant) => {
    assert.deepEqual(
      parse(meant.map(({ query }) => query).join('&')),
      meant.map(({ filter }) => filter),
    );
  });
  fc.assert(property, { numRuns: 2_000 });
});

test('no query does harm: it is read, or refused as the fault of its sender', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '&',
      '=',
      ':',
      ',',
      '%',
      '%3a',
      '%2C',
      '+',
      'status',
      'limit',
      'marker',
      'in:',
      'neq',
      'all_projects',
    ),
  );
  const query = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
  const property = fc.property(query, (text) => {
    try {
      for (const { field, operator, values } of parse(text)) {
        assert.ok(['status', 'functionId'].includes(field) && [...ONE, ...MANY].includes(operator));
        assert.ok(MANY.includes(operator) ? values.length >= 1 : values.length === 1);
      }
      parsePaging(text);
    } catch (fault) {
      assert.ok(fault instanceof QinlingError && fault.code === 'INVALID_INPUT', String(fault));
    }
  });
  fc.assert(property, { numRuns: 5_000 });
});

/** A filter, and the text of a query that means it. */
const meantFilter = fc
  .record({
    name: fc.constantFrom(['status', 'status'] as const, ['function_id', 'functionId'] as const),
    operator: fc.constantFrom('plain' as const, ...ONE, ...MANY),
    values: fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 5 }),
    isColonEncoded: fc.boolean(),
    isBare: fc.boolean(),
  })
  .map(({ name: [name, field], operator, values, isColonEncoded, isBare }) => {
    const isList = operator === 'in' || operator === 'nin';
    // a client that encodes the colon encodes the commas between values too: none of them can be in a value
    const texts = (isList ? values : values.slice(0, 1)).map((text) =>
      isColonEncoded ? text.replaceAll(',', '') : text,
    );
    const encode = (text: string) => (isBare ? bare(text) : encodeURIComponent(text));
    const joined = texts.map(encode).join(isColonEncoded ? '%2C' : ',');
    const prefix = operator === 'plain' ? '' : `${operator}${isColonEncoded ? '%3A' : ':'}`;
    // without an operator a text that looks like one needs `eq:`
    const isMistakable = operator === 'plain' && /^[a-z]+(:|%3a)/i.test(joined);
    const meant: Filter = { field, operator: operator === 'plain' ? 'eq' : operator, values: texts };
    return { query: `${name}=${isMistakable ? 'eq:' : prefix}${joined}`, filter: meant };
  });

/** As the command-line client does it: `:` and the like stay as they are. A comma would separate values. */
function bare(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':').replaceAll('%20', '+').replaceAll('%3D', '=');
}

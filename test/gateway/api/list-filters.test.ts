import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExecutionRecord } from '../../../gateway/store/store.ts';
import { startExecutionServer } from '../../support/execution-server.ts';
import { finalRecord } from '../../support/store-records.ts';

const RUNS = 200;
const FUNCTIONS = [
  '0d8c1c1a-9f5c-4b5e-8a3f-1c1a9f5c4b5e',
  '7d8c1c1a-9f5c-4b5e-8a3f-1c1a9f5c4b5e',
  'ffffffff-9f5c-4b5e-8a3f-1c1a9f5c4b5e',
];
const STATUSES = ['running', 'success', 'failed', 'error'] as const;
const DESCRIPTIONS = [
  'Created by Job 50cd',
  'Created by Webhook 50cd',
  '',
  'a,b',
  'a%2Cb',
  '100%',
  'a_b',
  'a\\b',
  'eq:x',
  'x: y',
  'ünïcode 🙂',
  'ＦＵＬＬ',
  'Upper',
  'upper',
  'plus+plus',
  'amp&amp=',
  null,
];

type Field = 'function_id' | 'status' | 'description';
const OPERATORS = ['', 'eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'has'] as const;
type Operator = (typeof OPERATORS)[number];

interface Condition {
  readonly field: Field;
  readonly operator: Operator;
  readonly values: readonly string[];
}

const VALUES: Readonly<Record<Field, readonly string[]>> = {
  function_id: [...FUNCTIONS, 'unknown', ''],
  status: [...STATUSES, 'unknown', ''],
  description: DESCRIPTIONS.filter((text) => text !== null),
};

const PIECES = ['50cd', 'a', '%', '_', '\\', 'by', ',', ':', '🙂', 'U', '-9f5c-', 's', 'x y'];
const condition: fc.Arbitrary<Condition> = fc
  .constantFrom<Field>('function_id', 'status', 'description')
  .chain((field) =>
    fc.record({
      field: fc.constant(field),
      operator: fc.constantFrom(...OPERATORS),
      values: fc.array(fc.constantFrom(...VALUES[field], ...PIECES), { minLength: 1, maxLength: 3 }),
    }),
  );

/** Every record of a few hundred is its own mixture. */
function makeRecords(): ExecutionRecord[] {
  return DESCRIPTIONS.flatMap((description) =>
    FUNCTIONS.flatMap((functionId) =>
      STATUSES.map((status) => finalRecord({ functionId, status, description, input: null })),
    ),
  );
}

function isBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

/** What the contract says of an operator. */
function holds({ field, operator, values }: Condition, record: ExecutionRecord): boolean {
  const seen = { function_id: record.functionId, status: record.status, description: record.description }[field];
  const [value = ''] = values;
  if (operator === 'neq') return seen !== value;
  if (operator === 'nin') return seen === null || !values.includes(seen);
  if (seen === null) return false;
  switch (operator) {
    case 'in':
      return values.includes(seen);
    case 'has':
      return seen.includes(value);
    case 'gt':
      return isBefore(value, seen);
    case 'gte':
      return !isBefore(seen, value);
    case 'lt':
      return isBefore(seen, value);
    case 'lte':
      return !isBefore(value, seen);
    default:
      return seen === value;
  }
}

/** As a client encodes it that leaves the operator and the commas between values as they are. */
function encode({ field, operator, values }: Condition): string {
  const isList = operator === 'in' || operator === 'nin';
  const text = (isList ? values : values.slice(0, 1)).map(encodeURIComponent).join(',');
  return `${field}=${operator === '' ? '' : `${operator}:`}${text}`;
}

/** A value that begins like an operator is one where its colon is not encoded; encoded, clients mean an operator too. */
function isAmbiguous({ operator, values: [value = ''] }: Condition): boolean {
  return operator === '' && /^(eq|neq|gt|gte|lt|lte|in|nin|has):/.test(value);
}

test('every operator on every field of executions means what it says', async (t) => {
  const { send, store } = await startExecutionServer(t);
  const records = makeRecords();
  await Promise.all(records.map((record) => store.executions.insert(record, null)));
  const query = fc.array(
    condition.filter((one) => !isAmbiguous(one)),
    { minLength: 1, maxLength: 3 },
  );
  const property = fc.asyncProperty(query, async (conditions) => {
    const { status, json, text } = await send('GET', `/v1/executions?${conditions.map(encode).join('&')}`);
    assert.equal(status, 200, text);
    const expected = records.filter((record) => conditions.every((one) => holds(one, record)));
    assert.deepEqual(
      (json['executions'] as { id: string }[]).map(({ id }) => id),
      expected.map(({ id }) => id),
    );
  });
  await fc.assert(property, { numRuns: RUNS });
});

test('filters are read as clients write them', async (t) => {
  const { send, store } = await startExecutionServer(t);
  const records = DESCRIPTIONS.filter((text) => text !== null).map((description) => finalRecord({ description }));
  await Promise.all(records.map((record) => store.executions.insert(record, null)));
  const cases: [string, readonly string[]][] = [
    ['description=has:50cd', ['Created by Job 50cd', 'Created by Webhook 50cd']],
    ['description=has:by Job', ['Created by Job 50cd']], // openstack does not encode
    ['description=has%3A50cd&description=has%3AJob', ['Created by Job 50cd']],
    ['description=Created+by+Job+50cd', ['Created by Job 50cd']],
    ['description=has:%25', ['a%2Cb', '100%']],
    ['description=has:_', ['a_b']],
    ['description=has:%5C', ['a\\b']],
    ['description=in:a%2Cb,upper', ['a,b', 'upper']],
    ['description=in%3AUpper%2Cupper', ['Upper', 'upper']],
    ['description=eq:eq:x', ['eq:x']],
    ['description=x: y', ['x: y']],
    ['description=unknown:x', []],
    ['description=', ['']],
    ['description', ['']],
    ['description=eq:', ['']],
    ['description=has:Ü', []],
    ['status=neq:success', []],
  ];
  for (const [query, expected] of cases) {
    const { status, json } = await send('GET', `/v1/executions?${query.replaceAll(' ', '%20')}&all_projects=no`);
    assert.equal(status, 200, query);
    const shown = (json['executions'] as { description: string }[]).map(({ description }) => description);
    assert.deepEqual(shown, expected, query);
  }
});

test('no query does harm', async (t) => {
  const { send, store, serverFaults } = await startExecutionServer(t);
  await store.executions.insert(finalRecord(), null);
  const piece = fc.constantFrom(
    'status',
    'description',
    'function_id',
    '=',
    '&',
    ':',
    ',',
    '%',
    '%2',
    '%zz',
    '%00',
    'in',
    "'",
    '"',
    ';--',
    '(',
    'ü',
    '\\',
    'has',
    'limit',
    '__proto__',
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  const property = fc.asyncProperty(text, async (query) => {
    const { status, text: body } = await send('GET', `/v1/executions?${encodeURI(query).replaceAll('%25', '%')}`);
    assert.ok(status === 200 || status === 400, `${status} ${body}`);
    assert.doesNotMatch(body, /sql|syntax/i);
  });
  await fc.assert(property, { numRuns: RUNS });
  assert.deepEqual(serverFaults, []);
  const many = (count: number, part: string) => Array.from({ length: count }, () => part);
  assert.equal((await send('GET', `/v1/executions?${many(51, 'status=x').join('&')}`)).status, 400);
  assert.equal((await send('GET', `/v1/executions?status=in:${many(501, 'x').join(',')}`)).status, 400);
  assert.equal((await send('GET', `/v1/executions?status=in:${many(500, 'x').join(',')}`)).status, 200);
});

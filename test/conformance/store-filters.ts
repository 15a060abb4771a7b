import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ExecutionStatus,
  type ExecutionRecord,
  type Filter,
  type FilterOperator,
  type FunctionRecord,
  type Page,
  type Place,
} from '../../gateway/store/store.ts';
import { collect } from '../support/collect.ts';
import { executionRecord, functionRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const OPERATORS: readonly FilterOperator[] = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'has'];
const EXECUTION_FIELDS = ['functionId', 'projectId', 'status', 'description'] as const;
const FUNCTION_FIELDS = ['projectId', 'runtimeId', 'name', 'description'] as const;

/** Few texts, so that conditions meet records; among them what SQL, LIKE and GLOB would read as something else. */
const TEXTS = [
  '',
  'a',
  'A',
  'ab',
  'b',
  '%',
  '_',
  'a%',
  '*',
  "a' OR '1'='1",
  '\\',
  'ä',
  'Ä',
  '\0',
  '1',
  '10',
  '9',
  '\u{1F600}',
];
const text = fc.oneof(fc.constantFrom(...TEXTS, ...Object.values(ExecutionStatus)), fc.string({ unit: 'grapheme' }));

export function filterPromises(open: OpenStore): void {
  test('filters of executions let through what a plain comparison does, in every project and on every page', async (t) => {
    const { executions } = await open(t);
    const records: ExecutionRecord[] = fc.sample(executions_, { numRuns: 150, seed: 1 }).map(executionRecord);
    await Promise.all(records.map((record) => executions.insert(record, null)));

    const property = fc.asyncProperty(pagesOf(records, EXECUTION_FIELDS), async (page) => {
      assert.deepEqual(await collect(executions.list(page)), expectedOf(records, page));
    });
    await fc.assert(property, { numRuns: 800 });
  });

  test('filters of functions let through what a plain comparison does, in every project and on every page', async (t) => {
    const { functions } = await open(t);
    const records: FunctionRecord[] = fc.sample(functions_, { numRuns: 100, seed: 1 }).map(functionRecord);
    await Promise.all(records.map((record) => functions.insert(record)));

    const property = fc.asyncProperty(pagesOf(records, FUNCTION_FIELDS), async (page) => {
      assert.deepEqual(await collect(functions.list(page)), expectedOf(records, page));
    });
    await fc.assert(property, { numRuns: 500 });
  });

  for (const field of EXECUTION_FIELDS) {
    test(`every operator compares ${field} of an execution`, async (t) => {
      const { executions } = await open(t);
      const values = field === 'status' ? Object.values(ExecutionStatus) : ['apple', 'banana', 'cherry', 'Apple'];
      const records = values.map((value) => executionRecord({ [field]: value }));
      for (const record of records) await executions.insert(record, null);

      for (const operator of OPERATORS) {
        for (const value of [...values, 'b', 'an', 'unknown']) {
          const filter: Filter = { field, operator, values: [value] };
          const expected = records.filter((record) => isLetThrough(record, filter));
          assert.deepEqual(
            await collect(executions.list({ scope: null, filters: [filter], limit: 10 })),
            expected,
            JSON.stringify(filter),
          );
        }
      }
    });
  }

  test('a filter on an unknown field is refused', async (t) => {
    const { executions, functions } = await open(t);
    for (const field of ['nothing', 'key', 'toString', '1=1 OR status']) {
      const page = { scope: null, filters: [{ field, operator: 'eq', values: ['x'] }], limit: 1 } as const;
      await assert.rejects(collect(executions.list(page)), /no filter on the field/);
      await assert.rejects(collect(functions.list(page)), /no filter on the field/);
    }
  });
}

const executions_ = fc.record({
  functionId: text,
  projectId: text,
  status: fc.constantFrom(...Object.values(ExecutionStatus)),
  description: fc.option(text),
});

const functions_ = fc.record({
  projectId: text,
  runtimeId: fc.option(text),
  name: fc.option(text),
  description: fc.option(text),
});

/** A page of the records, which are in the order of their creation. */
function pagesOf<T extends Place & { projectId: string }>(
  records: readonly T[],
  fields: readonly string[],
): fc.Arbitrary<Page> {
  const limit = fc.oneof(fc.constant(undefined), fc.nat({ max: records.length }));
  return fc.record({
    scope: fc.oneof(fc.constant(null), fc.constantFrom(...records.map(({ projectId }) => projectId)), text),
    filters: filtersOf(fields),
    after: fc.constantFrom(undefined, ...records),
    limit,
  });
}

function expectedOf<T extends Place & { projectId: string }>(records: readonly T[], page: Page): T[] {
  const { scope, filters, after, limit } = page;
  return records
    .slice(after === undefined ? 0 : records.findIndex(({ id }) => id === after.id) + 1)
    .filter(({ projectId }) => scope === null || projectId === scope)
    .filter((record) => filters.every((filter) => isLetThrough(record, filter)))
    .slice(0, limit);
}

function filtersOf(fields: readonly string[]): fc.Arbitrary<Filter[]> {
  const field = fc.constantFrom(...fields);
  const one = fc.record({
    field,
    operator: fc.constantFrom(...OPERATORS.filter((operator) => operator !== 'in' && operator !== 'nin')),
    values: fc.tuple(text),
  });
  const list = fc.record({ field, operator: fc.constantFrom('in' as const, 'nin' as const), values: fc.array(text) });
  return fc.array(fc.oneof(one, list), { maxLength: 3 });
}

/** The meaning of a filter, said without SQL: texts are compared by their UTF-8 bytes; null is equal to nothing. */
function isLetThrough(record: object, { field, operator, values }: Filter): boolean {
  const value = (record as Record<string, string | null>)[field]!;
  if (operator === 'neq' || operator === 'nin') return value === null || !values.includes(value);
  if (value === null) return false;
  const order = Buffer.compare(Buffer.from(value), Buffer.from(values[0] ?? ''));
  switch (operator) {
    case 'eq':
      return value === values[0];
    case 'in':
      return values.includes(value);
    case 'has':
      return value.includes(values[0]!);
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
  }
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { filterSql, textColumn } from '../../../../gateway/store/sqlite/filter.ts';
import type { FilterOperator } from '../../../../gateway/store/store.ts';

const columns = {
  name: textColumn('name'),
  owner: { sql: 'owner', textSql: 'text_of(owner)', toValue: (text: string) => (text === 'me' ? 1 : undefined) },
};

test('no filter lets everything through', () => {
  assert.deepEqual(filterSql([], columns), { sql: '1', values: [] });
});

test('equality compares the column itself, order and search its text', () => {
  const sqlOf = (operator: FilterOperator) => filterSql([{ field: 'owner', operator, values: ['me'] }], columns);

  assert.deepEqual(sqlOf('eq'), { sql: 'owner = ?', values: [1] });
  assert.deepEqual(sqlOf('lt'), { sql: 'text_of(owner) < ?', values: ['me'] });
  assert.deepEqual(sqlOf('has'), { sql: 'instr(text_of(owner), ?) > 0', values: ['me'] });
});

test('a value that no record can have is equal to none', () => {
  const { sql, values } = filterSql([{ field: 'owner', operator: 'in', values: ['you', 'they'] }], columns);

  assert.deepEqual([sql, values], ['owner IN ()', []]);
});

test("nothing of the caller's text becomes SQL", () => {
  const operator = fc.constantFrom<FilterOperator>('eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'has');
  const property = fc.property(operator, fc.array(fc.string(), { minLength: 1 }), (anyOperator, values) => {
    const { sql } = filterSql([{ field: 'name', operator: anyOperator, values }], columns);
    assert.match(sql, /^[a-zA-Z_ (),?<>=0]+$/);
  });
  fc.assert(property);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { filterSql, textColumn } from '../../../../gateway/store/sqlite/filter.ts';
import type { FilterOperator } from '../../../../gateway/store/store.ts';

const columns = {
  name: textColumn('name'),
  owner: { sql: 'owner', textSql: 'text_of(owner)', toValue: (text: string) => (text === 'me' ? 1 : undefined) },
  state: { sql: 'state', choices: ['off', 'on', 'none'] },
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

test('where no record can have a value, none is equal to it and every one differs from it', () => {
  const sqlOf = (operator: FilterOperator) =>
    filterSql([{ field: 'owner', operator, values: ['you', 'they'] }], columns)?.sql;

  assert.deepEqual([sqlOf('eq'), sqlOf('in'), sqlOf('neq'), sqlOf('nin')], [undefined, undefined, '1', '1']);
});

test('a field of few texts is compared before the query', () => {
  const sqlOf = (operator: FilterOperator, ...values: string[]) =>
    filterSql([{ field: 'state', operator, values }], columns)?.sql;

  assert.equal(sqlOf('neq', 'on'), 'state IN (0, 2)');
  assert.equal(sqlOf('has', 'of'), 'state IN (0)');
  assert.equal(sqlOf('lt', 'on'), 'state IN (0, 2)');
  assert.equal(sqlOf('in', 'on', 'gone'), 'state IN (1)');
  assert.equal(sqlOf('eq', 'gone'), undefined);
});

test("nothing of the caller's text becomes SQL", () => {
  const operator = fc.constantFrom<FilterOperator>('eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'has');
  const property = fc.property(operator, fc.array(fc.string(), { minLength: 1 }), (anyOperator, values) => {
    const conditions = filterSql([{ field: 'name', operator: anyOperator, values }], columns);
    assert.match(conditions!.sql, /^[a-zA-Z_ (),?<>=0]+$/);
  });
  fc.assert(property);
});

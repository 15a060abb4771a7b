import type { Filter } from '../store.ts';
import type { Value } from './database.ts';

/** How a field of a record is compared: its SQL expression, and the value of the caller's text (undefined: never equal). */
export interface FilterColumn {
  readonly sql: string;
  readonly toValue: (text: string) => Value | undefined;
}

export type FilterColumns = Readonly<Record<string, FilterColumn>>;

export const textColumn = (sql: string): FilterColumn => ({ sql, toValue: (text) => text });

const COMPARISONS = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** Conditions of a WHERE clause (`1` where there is none) and their values. Nothing of the caller becomes SQL text. */
export function filterSql(filters: readonly Filter[], columns: FilterColumns): { sql: string; values: Value[] } {
  const values: Value[] = [];
  const conditions = filters.map((filter) => conditionSql(filter, columns, values));
  return { sql: conditions.length === 0 ? '1' : conditions.join(' AND '), values };
}

function conditionSql({ field, operator, values: texts }: Filter, columns: FilterColumns, values: Value[]): string {
  const column = columns[field];
  if (column === undefined) throw new Error(`no filter on the field ${field}`);
  if (operator === 'has') {
    values.push(texts[0] ?? '');
    return `instr(${column.sql}, ?) > 0`; // literal and case-sensitive, unlike LIKE
  }
  const known = texts.map(column.toValue).filter((value): value is Value => value !== undefined);
  if (operator === 'in' || operator === 'nin' || operator === 'neq') {
    values.push(...known);
    const list = `${column.sql} IN (${known.map(() => '?').join(', ')})`;
    return operator === 'in' ? list : `(${column.sql} IS NULL OR NOT ${list})`;
  }
  if (known.length === 0) return '0';
  values.push(known[0]!);
  return `${column.sql} ${COMPARISONS[operator]} ?`;
}

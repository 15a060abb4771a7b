import type { Filter, Scope } from '../store.ts';
import type { Value } from './database.ts';

/** How a field of a record is compared. */
export interface FilterColumn {
  /** What is compared for equality: a column, so that an index can be used. */
  readonly sql: string;
  /** The field's text: what is ordered and searched. */
  readonly textSql: string;
  /** The value of `sql` for a text of the caller; undefined where no record can have it. */
  readonly toValue: (text: string) => Value | undefined;
}

export type FilterColumns = Readonly<Record<string, FilterColumn>>;

export const textColumn = (sql: string): FilterColumn => ({ sql, textSql: sql, toValue: (text) => text });

/** The filters of a query with its scope, which is the condition on a project. */
export function inScope(scope: Scope, filters: readonly Filter[]): readonly Filter[] {
  return scope === null ? filters : [{ field: 'projectId', operator: 'eq', values: [scope] }, ...filters];
}

const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/**
 * Conditions of a WHERE clause (`1` where there is none) and their values. Nothing of the caller becomes SQL text. A
 * field that is null equals nothing, is none of anything, has nothing and is neither before nor after anything.
 */
export function filterSql(filters: readonly Filter[], columns: FilterColumns): { sql: string; values: Value[] } {
  const values: Value[] = [];
  const conditions = filters.map((filter) => conditionSql(filter, columns, values));
  return { sql: conditions.length === 0 ? '1' : conditions.join(' AND '), values };
}

function conditionSql({ field, operator, values: texts }: Filter, columns: FilterColumns, values: Value[]): string {
  const column = Object.hasOwn(columns, field) ? columns[field] : undefined;
  if (column === undefined) throw new Error(`no filter on the field ${field}`);
  switch (operator) {
    case 'eq':
      return equalSql(column, texts.slice(0, 1), values);
    case 'in':
      return equalSql(column, texts, values);
    case 'neq':
    case 'nin':
      return `(${column.sql} IS NULL OR NOT ${equalSql(column, texts, values)})`;
    case 'has':
      values.push(texts[0] ?? '');
      return `instr(${column.textSql}, ?) > 0`; // literal and case-sensitive, unlike LIKE
    default:
      values.push(texts[0] ?? '');
      return `${column.textSql} ${COMPARISONS[operator]} ?`;
  }
}

function equalSql({ sql, toValue }: FilterColumn, texts: readonly string[], values: Value[]): string {
  const known = texts.map(toValue).filter((value): value is Value => value !== undefined);
  values.push(...known);
  if (known.length === 1) return `${sql} = ?`;
  return `${sql} IN (${known.map(() => '?').join(', ')})`;
}

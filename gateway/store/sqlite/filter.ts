import type { Filter, Scope } from '../store.ts';
import type { Value } from './database.ts';

/** How a field of a record is compared. */
export type FilterColumn = TextColumn | ChoiceColumn;

interface TextColumn {
  /** What is compared for equality: a column, so that an index can be used. */
  readonly sql: string;
  /** The field's text: what is ordered and searched. */
  readonly textSql: string;
  /** The value of `sql` for a text of the caller; undefined where no record can have it. */
  readonly toValue: (text: string) => Value | undefined;
}

/** A field with few possible texts: the column, never null, holds the place of its text among them. */
interface ChoiceColumn {
  readonly sql: string;
  readonly choices: readonly string[];
}

export type FilterColumns = Readonly<Record<string, FilterColumn>>;

export const textColumn = (sql: string): FilterColumn => ({ sql, textSql: sql, toValue: (text) => text });

/** The filters of a query with its scope, which is the condition on a project. */
export function inScope(scope: Scope, filters: readonly Filter[]): readonly Filter[] {
  return scope === null ? filters : [{ field: 'projectId', operator: 'eq', values: [scope] }, ...filters];
}

const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

export interface Conditions {
  readonly sql: string;
  readonly values: readonly Value[];
}

/**
 * Conditions of a WHERE clause (`1` where there is none) and their values; undefined where no record can meet them.
 * Nothing of the caller becomes SQL text. A field that is null equals nothing, is none of anything, has nothing and is
 * neither before nor after anything.
 */
export function filterSql(filters: readonly Filter[], columns: FilterColumns): Conditions | undefined {
  const values: Value[] = [];
  const conditions: string[] = [];
  for (const filter of filters) {
    const sql = conditionSql(filter, columns, values);
    if (sql === undefined) return undefined;
    conditions.push(sql);
  }
  return { sql: conditions.length === 0 ? '1' : conditions.join(' AND '), values };
}

/** The places of those texts that a filter lets through. */
export function choicesLetThrough(choices: readonly string[], { operator, values }: Filter): number[] {
  const [value = ''] = values;
  const isLetThrough = (text: string): boolean => {
    const order = Buffer.compare(Buffer.from(text), Buffer.from(value));
    switch (operator) {
      case 'eq':
        return text === value;
      case 'neq':
        return text !== value;
      case 'in':
        return values.includes(text);
      case 'nin':
        return !values.includes(text);
      case 'has':
        return text.includes(value);
      case 'gt':
        return order > 0;
      case 'gte':
        return order >= 0;
      case 'lt':
        return order < 0;
      case 'lte':
        return order <= 0;
    }
  };
  return choices.flatMap((text, place) => (isLetThrough(text) ? [place] : []));
}

function conditionSql(filter: Filter, columns: FilterColumns, values: Value[]): string | undefined {
  const { field, operator, values: texts } = filter;
  const column = Object.hasOwn(columns, field) ? columns[field] : undefined;
  if (column === undefined) throw new Error(`no filter on the field ${field}`);
  if ('choices' in column) return choiceSql(column, filter);
  const { sql, textSql } = column;
  switch (operator) {
    case 'eq':
      return equalSql(column, texts.slice(0, 1), values);
    case 'in':
      return equalSql(column, texts, values);
    case 'neq':
    case 'nin': {
      const isEqual = equalSql(column, texts, values);
      return isEqual === undefined ? '1' : `(${sql} IS NULL OR NOT ${isEqual})`;
    }
    case 'has':
      values.push(texts[0] ?? '');
      return `instr(${textSql}, ?) > 0`; // literal and case-sensitive, unlike LIKE
    default:
      values.push(texts[0] ?? '');
      return `${textSql} ${COMPARISONS[operator]} ?`;
  }
}

function choiceSql({ sql, choices }: ChoiceColumn, filter: Filter): string | undefined {
  const places = choicesLetThrough(choices, filter);
  return places.length === 0 ? undefined : `${sql} IN (${places.join(', ')})`;
}

function equalSql({ sql, toValue }: TextColumn, texts: readonly string[], values: Value[]): string | undefined {
  const known = texts.map(toValue).filter((value): value is Value => value !== undefined);
  if (known.length === 0) return undefined;
  values.push(...known);
  return known.length === 1 ? `${sql} = ?` : `${sql} IN (${known.map(() => '?').join(', ')})`;
}

import { invalidInput } from '../errors.ts';
import type { Filter, FilterOperator } from '../store/store.ts';
import { parseBoolean } from './fields.ts';
import type { QueryArguments } from './operation.ts';

const OPERATORS: ReadonlySet<string> = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'has']);
const MAX_ARGUMENTS = 50;
const MAX_VALUES = 500;

/**
 * The filters of a list's query: `name=value` or `name=operator:value`. `all_projects` is checked and taken out. Throws
 * INVALID_INPUT, also for arguments that are not declared. Lists of records that belong to projects are read by
 * `readProjectList`, which says what `all_projects` and `project_id` mean to whom.
 */
export function parseListQuery(query: string, declared: QueryArguments): Filter[] {
  const filters: Filter[] = [];
  const parts = query.split('&').filter((part) => part !== '');
  if (parts.length > MAX_ARGUMENTS) throw invalidInput('Too many query arguments.');
  for (const part of parts) {
    const separator = part.indexOf('=');
    const name = decode(separator < 0 ? part : part.slice(0, separator));
    const text = separator < 0 ? '' : part.slice(separator + 1);
    const argument = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (argument === undefined) throw invalidInput(`Unknown argument: "${name.slice(0, 100)}"`);
    if (name === 'all_projects') parseBoolean(decode(text), name);
    else filters.push(parseFilter(argument.filter!, text));
  }
  return filters;
}

/** True if `all_projects` is given and true; of a query that `parseListQuery` has read. */
export function asksForAllProjects(query: string): boolean {
  return new URLSearchParams(query).getAll('all_projects').some((text) => parseBoolean(text, 'all_projects'));
}

/** Refuses every query argument but those named; a resource that takes none says so like a list does. */
export function queryArguments(query: string, allowed: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const part of query.split('&').filter((text) => text !== '')) {
    const [name = '', ...rest] = part.split('=');
    if (!allowed.includes(decode(name))) throw invalidInput(`Unknown argument: "${decode(name).slice(0, 100)}"`);
    values.set(decode(name), decode(rest.join('=')));
  }
  return values;
}

const OPERATOR = /^([a-z]+)(:|%3a)(.*)$/is;

/**
 * Only a known operator before a colon is one. Values are decoded after they were split, so that an encoded comma is
 * part of a value; but a client that encodes the operator's colon encodes each comma too, and means to split.
 */
function parseFilter(field: string, text: string): Filter {
  const [, prefix = '', colon = '', value = ''] = OPERATOR.exec(text) ?? [];
  if (!OPERATORS.has(prefix)) return { field, operator: 'eq', values: [decode(text)] };
  const operator = prefix as FilterOperator;
  const isList = operator === 'in' || operator === 'nin';
  const values = isList ? value.split(colon === ':' ? ',' : /,|%2c/i) : [value];
  if (values.length > MAX_VALUES) throw invalidInput(`More than ${MAX_VALUES} values in a filter.`);
  return { field, operator, values: values.map(decode) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw invalidInput('The query is not percent-encoded properly.');
  }
}

import { invalidInput } from '../errors.ts';
import type { Filter, FilterOperator } from '../store/store.ts';
import { MAX_SHOWN, parseBoolean } from './fields.ts';
import type { QueryArguments } from './operation.ts';

const OPERATORS: ReadonlySet<string> = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'has']);
const MAX_ARGUMENTS = 50;
const MAX_VALUES = 500;

/** One argument of a query. */
interface Part {
  /** As it came. */
  readonly part: string;
  /** Decoded. */
  readonly name: string;
  /** The value as it came. */
  readonly encoded: string;
  /** The value decoded; throws INVALID_INPUT. */
  readonly text: () => string;
}

/** The arguments of a query, in their order. Throws INVALID_INPUT. */
export function splitQuery(query: string): Part[] {
  const parts = query.split('&').filter((part) => part !== '');
  if (parts.length > MAX_ARGUMENTS) throw invalidInput('Too many query arguments.');
  return parts.map((part) => {
    const separator = part.indexOf('=');
    const encoded = separator < 0 ? '' : part.slice(separator + 1);
    return {
      part,
      name: decode(separator < 0 ? part : part.slice(0, separator)),
      encoded,
      text: () => decode(encoded),
    };
  });
}

/**
 * The filters of a list's query: `name=value` or `name=operator:value`. `all_projects` is checked and taken out. Throws
 * INVALID_INPUT, also for arguments that are not declared. Lists of records that belong to projects are read by
 * `readProjectList`, which says what `all_projects` and `project_id` mean to whom.
 */
export function parseListQuery(query: string, declared: QueryArguments): Filter[] {
  const filters: Filter[] = [];
  for (const { name, encoded, text } of splitQuery(query)) {
    const argument = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (argument === undefined) throw unknownArgument(name);
    if (name === 'all_projects') parseBoolean(text(), name);
    else if (argument.filter !== undefined) filters.push(parseFilter(argument.filter, encoded));
  }
  return filters;
}

/** True if `all_projects` is given and true; of a query that `parseListQuery` has read. */
export function asksForAllProjects(query: string): boolean {
  return splitQuery(query).some(({ name, text }) => name === 'all_projects' && parseBoolean(text(), name));
}

/** Refuses every query argument but those named; a resource that takes none says so like a list does. */
export function queryArguments(query: string, allowed: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, text } of splitQuery(query)) {
    if (!allowed.includes(name)) throw unknownArgument(name);
    values.set(name, text());
  }
  return values;
}

function unknownArgument(name: string): Error {
  return invalidInput(`Unknown argument: "${name.slice(0, MAX_SHOWN)}"`);
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

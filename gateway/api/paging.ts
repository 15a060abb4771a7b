import type { Paging } from '../control/lists.ts';
import { invalidInput } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Chunks } from '../store/store.ts';
import { parseInteger, parseUuid, wrongValue } from './fields.ts';
import { listParts } from './list-parts.ts';
import { splitQuery } from './list-query.ts';
import type { QueryArguments } from './operation.ts';
import type { Resource } from './resources/declaration.ts';

const MAX_LIMIT = 1_000;

/** Without `limit` the whole list comes: clients of the original never ask for more. */
export const PAGING_ARGUMENTS: QueryArguments = {
  limit: {
    schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT },
    help: 'Most records to answer. Where there are more, `next` of the answer is the URL of those.',
  },
  marker: {
    schema: { type: 'string', format: 'uuid' },
    help: 'The id of the record that goes before the first one to answer.',
  },
};

/** The paging that a query asks for; what else it holds is not looked at. Throws INVALID_INPUT. */
export function parsePaging(query: string): Paging {
  const texts = new Map<string, string>();
  for (const { name, text } of splitQuery(query)) {
    if (name !== 'limit' && name !== 'marker') continue;
    if (texts.has(name)) throw invalidInput(`The argument "${name}" is given twice.`);
    texts.set(name, text());
  }
  const [limit, marker] = [texts.get('limit'), texts.get('marker')];
  return {
    limit: limit === undefined ? undefined : parseLimit(limit),
    marker: marker === undefined ? undefined : parseUuid(marker, 'marker'),
  };
}

/**
 * Answers with the list that the query asks for. `list` gives its records: one more than are shown tells that the list
 * goes on. `render` gives the JSON text of a record.
 */
export function sendList<T extends { readonly id: string }>(
  exchange: Exchange,
  { listKey }: Pick<Resource, 'listKey'>,
  list: (paging: Paging) => Chunks<T>,
  render: (record: T) => string,
): Promise<void> {
  const { limit, marker } = parsePaging(exchange.query);
  const records = list({ marker, limit: limit === undefined ? undefined : limit + 1 });
  const urlBehind = ({ id }: T) => `${exchange.baseUrl}${exchange.path}?${queryBehind(exchange.query, id)}`;
  const page = limit === undefined ? undefined : { limit, urlBehind };
  return exchange.sendParts(200, listParts(listKey, records, render, page));
}

/** The same query for what comes behind a record. */
function queryBehind(query: string, id: string): string {
  const others = splitQuery(query).filter(({ name }) => name !== 'marker');
  return [...others.map(({ part }) => part), `marker=${id}`].join('&');
}

function parseLimit(text: string): number {
  const limit = parseInteger(text, 'limit');
  if (limit < 1 || limit > MAX_LIMIT) throw wrongValue('limit', text, `Value should be from 1 to ${MAX_LIMIT}.`);
  return limit;
}

import { invalidInput } from '../errors.ts';
import type { Chunks, Filter, Page, Place, Scope } from '../store/store.ts';

/** What part of a list is wanted; by default the whole of it. */
export interface Paging {
  /** The id of the record that goes before the first one wanted. */
  readonly marker?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ListRequest extends Paging {
  readonly filters: readonly Filter[];
}

/** Records that are listed; every store of such records is one. */
export interface ListedStore<T extends Place> {
  get(id: string, scope: Scope): Promise<T | undefined>;
  list(page: Page): Chunks<T>;
}

/** The records in scope that the filters let through, oldest first. Throws INVALID_INPUT for a marker out of scope. */
export async function* listRecords<T extends Place>(
  store: ListedStore<T>,
  scope: Scope,
  { filters, marker, limit }: ListRequest,
): Chunks<T> {
  const after = marker === undefined ? undefined : await store.get(marker, scope);
  if (marker !== undefined && after === undefined) throw unknownMarker(marker);
  yield* store.list({ scope, filters, after, limit });
}

/** The same for few records, which are in memory and in their order. */
export async function* listAmong<T extends { readonly id: string }>(
  records: readonly T[],
  { marker, limit }: Paging,
): Chunks<T> {
  const before = marker === undefined ? -1 : records.findIndex(({ id }) => id === marker);
  if (marker !== undefined && before === -1) throw unknownMarker(marker);
  const wanted = records.slice(before + 1, limit === undefined ? undefined : before + 1 + limit);
  if (wanted.length > 0) yield wanted;
}

function unknownMarker(marker: string): Error {
  return invalidInput(`There is no record with the id of the marker, ${marker}.`);
}

import type { Chunks } from '../store/store.ts';

/** What is shown of a list, and where it goes on. */
export interface ShownPage<T> {
  readonly limit: number;
  /** The URL of what comes behind a record. */
  readonly urlBehind: (record: T) => string;
}

/**
 * JSON text of a list under its key, part by part: a list of any length is never in memory as a whole. `render` gives
 * the JSON text of one record. Without a page all records are shown.
 */
export async function* listParts<T>(
  key: string,
  records: Chunks<T>,
  render: (record: T) => string,
  page?: ShownPage<T>,
): AsyncIterable<string> {
  let separator = `{"${key}": [`;
  let left = page?.limit ?? Number.POSITIVE_INFINITY;
  let next = '';
  let last: T | undefined;
  for await (const chunk of records) {
    const shown = chunk.slice(0, left);
    if (shown.length > 0) {
      yield separator + shown.map(render).join(', ');
      separator = ', ';
      left -= shown.length;
      last = shown.at(-1);
    }
    if (page === undefined || shown.length === chunk.length) continue;
    next = `, "next": ${JSON.stringify(page.urlBehind(last!))}`;
    break;
  }
  yield separator === ', ' ? `]${next}}` : `${separator}]${next}}`;
}

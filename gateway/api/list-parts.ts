import type { Chunks } from '../store/store.ts';

interface Listing<T> {
  /** The key that the list is under. */
  readonly key: string;
  readonly records: Chunks<T>;
  /** The JSON text of a record. */
  readonly render: (record: T) => string;
  /** Records that are shown; the list says where it goes on, should there be another one. */
  readonly limit?: number | undefined;
  /** The URL of what comes behind a record. */
  readonly urlBehind: (record: T) => string;
}

/** JSON text of a list, part by part: a list of any length is never in memory as a whole. */
export async function* listParts<T>({
  key,
  records,
  render,
  limit = Number.POSITIVE_INFINITY,
  urlBehind,
}: Listing<T>): AsyncIterable<string> {
  let separator = `{"${key}": [`;
  let left = limit;
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
    if (shown.length === chunk.length) continue;
    next = `, "next": ${JSON.stringify(urlBehind(last!))}`;
    break;
  }
  yield separator === ', ' ? `]${next}}` : `${separator}]${next}}`;
}

/**
 * JSON text of a list under its key, part by part: a list of any length is never in memory as a whole. `pages` gives
 * the records, `render` the JSON text of one.
 */
export async function* listParts<T>(
  key: string,
  pages: AsyncIterable<readonly T[]>,
  render: (record: T) => string,
): AsyncIterable<string> {
  let separator = `{"${key}": [`;
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield separator + page.map(render).join(', ');
    separator = ', ';
  }
  yield separator === ', ' ? ']}' : `${separator}]}`;
}

/** All records of a list, in one array. */
export async function collect<T>(chunks: AsyncIterable<readonly T[]>): Promise<T[]> {
  const records: T[] = [];
  for await (const chunk of chunks) records.push(...chunk);
  return records;
}

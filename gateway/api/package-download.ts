import type { Exchange } from '../http/exchange.ts';
import type { StoredFile } from '../storage/package-storage.ts';
import { queryArguments } from './list-query.ts';
import type { QueryArguments } from './operation.ts';

const TRUE = new Set(['true', '1', 'yes', 'on', 't', 'y']);

/** The argument that asks for a package instead of its record. */
export const DOWNLOAD_ARGUMENTS: QueryArguments = {
  download: { schema: { type: 'boolean', default: false }, help: 'The bytes that were uploaded.' },
};

/** Whatever is not a word for yes means no. Throws INVALID_INPUT for other arguments. */
export function asksForDownload(query: string): boolean {
  return TRUE.has((queryArguments(query, ['download']).get('download') ?? '').toLowerCase());
}

export async function sendPackage(exchange: Exchange, { bytes, stream }: StoredFile, fileName: string): Promise<void> {
  const headers = { 'Content-Type': 'application/zip', 'Content-Disposition': `attachment; filename="${fileName}"` };
  await exchange.sendStream(200, headers, bytes, stream);
}

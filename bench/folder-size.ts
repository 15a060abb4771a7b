import { readdirSync, statSync, type Dirent } from 'node:fs';
import { join } from 'node:path';

/** Bytes of the files below a folder that are meant, whatever others remove meanwhile. */
export function bytesIn(folder: string, isMeant: (path: string) => boolean): number {
  let bytes = 0;
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += bytesIn(path, isMeant);
    else if (isMeant(path)) bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

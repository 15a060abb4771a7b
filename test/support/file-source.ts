import { readFileSync } from 'node:fs';
import type { FileSource } from '../../gateway/file-source.ts';

export function bytesOf(source: FileSource): Buffer {
  return 'content' in source ? source.content : readFileSync(source.path);
}

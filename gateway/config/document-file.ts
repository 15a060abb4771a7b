import { openSync, closeSync, fstatSync, readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';

const MAX_BYTES = 2 * 1024 * 1024;
/** Of each anchor: a file of a few lines must not become a value of gigabytes. */
const MAX_ALIASES = 100;

/**
 * The value of a YAML or JSON file that the configuration names (JSON is YAML). The door to yaml. Throws ConfigError
 * with every fault; none shows what stands in the file, for that may be a secret.
 */
export function readDocumentFile(path: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ pos: [at], code }) => {
      return `${path}:${lines.linePos(at).line}: is neither YAML nor JSON (${code})`;
    });
    throw new ConfigError(faults.join('\n'));
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (cause) {
    throw new ConfigError(`${path}: has too many aliases, or one of nothing`, { cause });
  }
}

function readText(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      if (size > MAX_BYTES) throw new ConfigError(`${path}: is larger than ${MAX_BYTES} bytes`);
      return readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${path}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

import { invalidInput } from '../errors.ts';
import { toShallowJson } from '../json-depth.ts';
import type { CodeDocument } from '../store/store.ts';

const SOURCES = ['package', 'swift', 'image'] as const;
/** Characters of the JSON text: whatever else is in it is kept and shown in every answer. */
const MAX_CODE_LENGTH = 16 * 1024;
type Source = (typeof SOURCES)[number];

/**
 * The `code` of a function as its callers write it: an object, with `source`, or in the early form without it. Throws
 * INVALID_INPUT for what is no code, and for the sources that do not work here.
 */
export function readCode(given: unknown, hasPackage: boolean): CodeDocument {
  const code = toObject(given);
  const source = code['source'] ?? guessSource(code, hasPackage);
  if (!SOURCES.includes(source as Source)) {
    throw invalidInput(`Invalid code source specified, available sources: ${SOURCES.join(', ')}`);
  }
  return { ...code, source: source as Source };
}

/** The code as a JSON object: in forms and JSON bodies it comes as text or as an object. */
export function toObject(given: unknown): Record<string, unknown> {
  let value = given;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      throw invalidInput('The attribute code is not valid JSON.');
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidInput('The attribute code must be a JSON object.');
  }
  return value as Record<string, unknown>;
}

/** The code of a package that was stored. Throws INVALID_INPUT for a document that is too large to keep, or nested too deeply. */
export function withMd5(code: CodeDocument, md5: string): CodeDocument {
  const document = { ...code, md5sum: md5 };
  if (toShallowJson(document).length > MAX_CODE_LENGTH) throw invalidInput('The attribute code is too long.');
  return document;
}

/** The md5 of a package that was stored. */
export function md5Of(code: CodeDocument): string {
  return String(code['md5sum']);
}

export function refuseUnsupported(code: CodeDocument): void {
  if (code.source === 'swift') throw invalidInput('Swift object not supported.');
  if (code.source === 'image') throw invalidInput('Image functions are not supported by this deployment.');
}

function guessSource(code: Readonly<Record<string, unknown>>, hasPackage: boolean): Source | undefined {
  if ('swift' in code) return 'swift';
  if ('image' in code) return 'image';
  return hasPackage || Boolean(code['package']) ? 'package' : undefined;
}

import { invalidInput, type QinlingError } from '../errors.ts';
import { toShallowJson } from '../json-depth.ts';
import type { CodeDocument } from '../store/store.ts';

const SOURCES = ['package', 'swift', 'image'] as const;
/** Characters of the JSON text: whatever else is in it is kept and shown in every answer. */
const MAX_CODE_LENGTH = 16 * 1024;
/** What a registry, a name, a tag and a digest are made of; never an option, never a space. */
const IMAGE = /^[A-Za-z0-9][\w.\-/:@]{0,254}$/;
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
  checkLength(document);
  return document;
}

function checkLength(document: CodeDocument): void {
  if (toShallowJson(document).length > MAX_CODE_LENGTH) throw invalidInput('The attribute code is too long.');
}

/** The md5 of a package that was stored. */
export function md5Of(code: CodeDocument): string {
  return String(code['md5sum']);
}

/** `runsImages`: there is something that does. Throws INVALID_INPUT. */
export function refuseUnsupported(code: CodeDocument, runsImages: boolean): void {
  if (code.source === 'swift') throw invalidInput('Swift object not supported.');
  if (code.source !== 'image') return;
  if (!runsImages) throw imagesNotSupported();
  imageOf(code);
  checkLength(code);
}

export function imagesNotSupported(): QinlingError {
  return invalidInput('Image functions are not supported by this deployment.');
}

/** The image of an image function. Throws INVALID_INPUT. */
export function imageOf({ image }: CodeDocument): string {
  if (typeof image === 'string' && IMAGE.test(image)) return image;
  throw invalidInput('The attribute code must have an image: a name like repository/name:tag.');
}

function guessSource(code: Readonly<Record<string, unknown>>, hasPackage: boolean): Source | undefined {
  if ('swift' in code) return 'swift';
  if ('image' in code) return 'image';
  return hasPackage || Boolean(code['package']) ? 'package' : undefined;
}

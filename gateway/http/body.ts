import { QinlingError, invalidInput } from '../errors.ts';
import type { BodySource } from './held-body.ts';

/** What the head of a request says of its body. */
export interface BodyHead {
  readonly contentType: string;
  /** The declared length in bytes; undefined for a chunked or absent body. */
  readonly contentLength: number | undefined;
}

export function tooLarge(limitBytes: number): QinlingError {
  return new QinlingError('TOO_LARGE', `The request body is larger than the limit of ${limitBytes} bytes.`);
}

/**
 * Reads a whole body up to a limit. Must be called in the turn in which the request came, if it was not held. Throws
 * TOO_LARGE; else `onEnd` is called once, with bytes that are only valid until it returns; never after an abort.
 */
export function readBody(
  source: BodySource,
  head: BodyHead,
  limitBytes: number,
  onEnd: (error: QinlingError | undefined, body: Buffer) => void,
): void {
  if ((head.contentLength ?? 0) > limitBytes) throw tooLarge(limitBytes);
  let held: Buffer = NO_BODY;
  let bytes = 0;
  let isOver = false;
  source.onData((chunk, isLast) => {
    if (isOver) return;
    const start = bytes;
    bytes += chunk.byteLength;
    if (bytes > limitBytes) {
      isOver = true;
      return onEnd(tooLarge(limitBytes), NO_BODY);
    }
    const view = Buffer.from(chunk); // no copy: valid in this call only
    if (isLast && start === 0) return onEnd(undefined, view);
    if (bytes > held.length) {
      const room = Math.min(GROWTH * bytes, head.contentLength ?? limitBytes);
      held = enlarged(held.subarray(0, start), Math.max(bytes, room));
    }
    held.set(view, start);
    if (isLast) onEnd(undefined, held.subarray(0, bytes));
  });
}

function enlarged(held: Buffer, bytes: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(bytes);
  larger.set(held);
  return larger;
}

const NO_BODY = Buffer.alloc(0);
/** Room for what may still come: by what has come, as a declared length costs its sender nothing. */
const GROWTH = 4;

/** A JSON object from a body; the texts are those that clients of the original know. `argument` names the resource. */
export function parseJsonObject(body: Buffer, contentType: string, argument: string): Record<string, unknown> {
  const mimeType = mimeTypeOf(contentType);
  if (mimeType === 'application/x-www-form-urlencoded' || mimeType === 'multipart/form-data') {
    const [name = ''] = new URLSearchParams(body.subarray(0, 200).toString()).keys();
    throw invalidInput(`Unknown argument: "${name.slice(0, 100)}"`);
  }
  if (mimeType !== '' && mimeType !== 'application/json') {
    throw new QinlingError('UNSUPPORTED_MEDIA_TYPE', `Unknown mimetype: ${mimeType.slice(0, 100)}`);
  }
  if (body.length === 0) throw invalidInput(`Missing argument: "${argument}"`);
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw invalidInput('Request is not in valid JSON format');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidInput('Request body must be a JSON object');
  }
  return value as Record<string, unknown>;
}

export function mimeTypeOf(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

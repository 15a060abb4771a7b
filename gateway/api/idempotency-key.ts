import { invalidInput } from '../errors.ts';
import { MAX_SHOWN } from './fields.ts';

const MAX_LENGTH = 255;
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * The value of an Idempotency-Key header; undefined where there is none. The header's specification wants a quoted string,
 * most clients send none: both mean the same. Throws INVALID_INPUT.
 */
export function parseIdempotencyKey(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = /^".*"$/.test(value) ? value.slice(1, -1) : value;
  if (text.length > MAX_LENGTH) throw wrongKey(value, `Value should have a maximum length of ${MAX_LENGTH}.`);
  if (!PRINTABLE.test(text)) throw wrongKey(value, 'Value should be of printable ASCII without spaces.');
  return text;
}

function wrongKey(value: string, why: string): Error {
  const shown = value.slice(0, MAX_SHOWN).replace(/[^\x20-\x7e]/g, '?');
  return invalidInput(`Invalid input for header Idempotency-Key. Value: '${shown}'. ${why}`);
}

import { invalidInput } from '../errors.ts';

/** Checks of single attributes; the texts are those that clients of the original know. */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TRUE = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE = new Set(['false', 'f', 'no', 'n', 'off', '0']);
/** Characters of a caller's value that a message shows. */
export const MAX_SHOWN = 100;

export const MAX_NAME_LENGTH = 255;
export const MAX_ENTRY_LENGTH = 80;

/** The 400 of a value that an attribute does not take. */
export function wrongValue(attribute: string, value: unknown, why: string): Error {
  const shown = typeof value === 'string' ? value : showJson(value);
  return invalidInput(`Invalid input for field/attribute ${attribute}. Value: '${shown.slice(0, MAX_SHOWN)}'. ${why}`);
}

function showJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return '...'; // nested too deeply
  }
}

/** An id in lower case; throws INVALID_INPUT for what is no UUID. */
export function parseUuid(value: unknown, attribute = 'id'): string {
  const id = typeof value === 'string' ? value.toLowerCase() : '';
  if (!UUID.test(id)) throw wrongValue(attribute, value, 'Value should be UUID format.');
  return id;
}

export function parseBoolean(value: unknown, attribute: string): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw wrongValue(attribute, value, 'Wrong type. Expected a boolean.');
}

/** A whole number, also as decimal text. */
export function parseInteger(value: unknown, attribute: string): number {
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value);
  const isText = typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value);
  if (!isNumber && !isText) throw wrongValue(attribute, value, 'Wrong type. Expected an integer.');
  return Number(value);
}

export function parseText(value: unknown, attribute: string, maxLength: number): string {
  if (typeof value !== 'string') throw wrongValue(attribute, value, 'Wrong type. Expected a string.');
  if (countCharacters(value) > maxLength)
    throw wrongValue(attribute, value, `Value should have a maximum length of ${maxLength}.`);
  return value;
}

/** A character beyond the first 65536 counts as one, as in Python. */
function countCharacters(text: string): number {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, '_').length;
}

export const parseName = (value: unknown, attribute: string): string => parseText(value, attribute, MAX_NAME_LENGTH);

let lastSecond = Number.NaN;
let lastSecondText = '';

/** Hot: of the second that was asked for last, the text is there. `YYYY-MM-DDTHH:MM:SSZ`, UTC, whole seconds. */
export function formatTime(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== lastSecond) {
    lastSecondText = `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
    lastSecond = second;
  }
  return lastSecondText;
}

export function formatTimeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : formatTime(timeMs);
}

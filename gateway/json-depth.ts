import { invalidInput } from './errors.ts';

/**
 * JSON that is nested more deeply is refused where it comes in: who writes JSON goes down into it call by call, and what
 * cannot be written could not be shown any more. Interpreters do not read much more either (Python: less than 1000).
 */
const MAX_DEPTH = 500;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = 0x7b; // a brace; a bracket with the bit of lower case is the same
const CLOSING = 0x7d;
const LOWER_CASE = 0x20;

/** `text` is valid JSON. Throws INVALID_INPUT where it is nested too deeply. */
export function checkJsonDepth(text: string): void {
  if (text.length <= MAX_DEPTH) return;
  let depth = 0;
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) position = endOfString(text, position);
    else if ((code | LOWER_CASE) === OPENING && ++depth > MAX_DEPTH) throw tooDeep();
    else if ((code | LOWER_CASE) === CLOSING) depth--;
  }
}

/** The JSON text of a value. Throws INVALID_INPUT where it is nested too deeply. */
export function toShallowJson(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? 'null';
  } catch {
    throw tooDeep(); // so deeply that it could not even be written
  }
  checkJsonDepth(text);
  return text;
}

function tooDeep(): Error {
  return invalidInput('The JSON value is nested too deeply.');
}

/** The position of the quote that ends the JSON string that begins at `start`; `text` is valid JSON. */
export function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, position: number): boolean {
  let first = position;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (position - first) % 2 === 1;
}

import { pythonJson, pythonJsonText } from './python-json.ts';

/**
 * The input of an execution: what callers send is any text or a JSON object; what a language host gets is JSON text of
 * an object, or nothing. A text that is no object becomes the object's one key below, and is shown as it was sent.
 */
const POSITIONAL = '__function_input';
const MAY_BE_POSITIONAL = `"${POSITIONAL}"`;

/** What the language host gets of a JSON value. What is neither text nor object counts as its JSON text. */
export function parseInput(value: unknown): string | null {
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'string') return parseText(value);
  if (typeof value === 'object' && !Array.isArray(value)) return pythonJson(value);
  return parseText(pythonJson(value));
}

function parseText(text: string): string | null {
  const trimmed = text.trim();
  if (trimmed === 'null') return null;
  const object = trimmed.startsWith('{') ? pythonJsonText(trimmed) : undefined;
  return object ?? `{${MAY_BE_POSITIONAL}: ${pythonJson(text)}}`;
}

/** What callers see as `input`. */
export function renderInput(input: string | null): string | null {
  if (input === null || !input.includes(MAY_BE_POSITIONAL)) return input;
  const object = JSON.parse(input) as Record<string, unknown>;
  if (!Object.hasOwn(object, POSITIONAL)) return input; // only deeper inside
  const positional = object[POSITIONAL];
  return typeof positional === 'string' ? positional : pythonJson(positional);
}

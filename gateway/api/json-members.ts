const QUOTE = 0x22;
const OPENING = new Set(['{', '[']);
const CLOSING = new Set(['}', ']']);

/**
 * The members of a JSON object with the text of each value as it stands, so that numbers keep all their digits; of a
 * name that comes several times the last one. Undefined where the text is no JSON object.
 */
export function jsonMembers(text: string): Map<string, string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return scan(text);
}

/** `text` is valid JSON and an object. */
function scan(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let position = text.indexOf('{') + 1;
  for (;;) {
    const nameStart = text.indexOf('"', position);
    if (nameStart < 0) return members; // the object is empty
    const nameEnd = endOfString(text, nameStart);
    const valueStart = text.indexOf(':', nameEnd) + 1;
    const valueEnd = endOfValue(text, valueStart);
    members.set(JSON.parse(text.slice(nameStart, nameEnd)) as string, text.slice(valueStart, valueEnd).trim());
    if (text[valueEnd] === '}') return members;
    position = valueEnd + 1;
  }
}

/** The position of the comma or brace behind a member's value. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let position = start;
  for (;;) {
    const mark = text[position]!;
    if (depth === 0 && (mark === ',' || mark === '}')) return position;
    if (OPENING.has(mark)) depth++;
    else if (CLOSING.has(mark)) depth--;
    position = mark === '"' ? endOfString(text, position) : position + 1;
  }
}

/** The position behind a JSON string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let position = start + 1;
  while (text.charCodeAt(position) !== QUOTE) position += text[position] === '\\' ? 2 : 1;
  return position + 1;
}

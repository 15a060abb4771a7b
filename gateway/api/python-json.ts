/**
 * JSON text as Python's `json.dumps` writes it: separators ", " and ": ", everything beyond ASCII escaped. Clients of
 * the original compare such texts, so they are the same to the byte.
 */

/** Python's text of a JSON value. */
export function pythonJson(value: unknown): string {
  return pythonJsonText(JSON.stringify(value) ?? 'null')!;
}

/**
 * Rewrites JSON text in Python's style by scanning it, so that numbers keep all their digits. Undefined where the text
 * is not JSON.
 */
export function pythonJsonText(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  let result = '';
  let position = 0;
  const { length } = text;
  while (position < length) {
    const character = text[position]!;
    if (character === '"') {
      const end = endOfString(text, position);
      result += pythonString(text.slice(position, end));
      position = end;
      continue;
    }
    if (character === ',') result += ', ';
    else if (character === ':') result += ': ';
    else if (character !== ' ' && character !== '\n' && character !== '\r' && character !== '\t') result += character;
    position++;
  }
  return result;
}

/** The position behind a JSON string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let position = start + 1;
  while (text[position] !== '"') position += text[position] === '\\' ? 2 : 1;
  return position + 1;
}

// Text that Python writes as it stands: printable ASCII without escapes.
const PLAIN = /^"[ !#-[\]-~]*"$/;
const BEYOND_ASCII = /[\u0080-\uffff]/g;

function pythonString(jsonString: string): string {
  if (PLAIN.test(jsonString)) return jsonString;
  return escapeBeyondAscii(JSON.stringify(JSON.parse(jsonString)));
}

function escapeBeyondAscii(text: string): string {
  return text.replace(BEYOND_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

import { checkJsonDepth, endOfString, toShallowJson } from '../json-depth.ts';

/**
 * JSON text as Python's `json.dumps` writes it: separators ", " and ": ", everything beyond ASCII escaped. Clients of
 * the original compare such texts, so they are the same to the byte.
 */

/** Python's text of a JSON value. Throws INVALID_INPUT for one that is nested too deeply. */
export function pythonJson(value: unknown): string {
  return rewrite(toShallowJson(value));
}

/**
 * Rewrites JSON text in Python's style by scanning it, so that numbers keep all their digits. Undefined where the text
 * is not JSON; throws INVALID_INPUT where it is nested too deeply.
 */
export function pythonJsonText(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  checkJsonDepth(text);
  return rewrite(text);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;

/** `text` is valid JSON. Copies whole runs: what stays as it is is not looked at twice. */
function rewrite(text: string): string {
  let result = '';
  let runStart = 0;
  let position = 0;
  const { length } = text;
  while (position < length) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      const end = endOfString(text, position) + 1;
      const string = text.slice(position, end);
      if (!PLAIN.test(string)) {
        result += text.slice(runStart, position) + pythonString(string);
        runStart = end;
      }
      position = end;
    } else if (code === COMMA || code === COLON) {
      result += `${text.slice(runStart, position + 1)} `;
      runStart = ++position;
    } else if (code <= SPACE) {
      result += text.slice(runStart, position);
      runStart = ++position;
    } else position++;
  }
  return result + text.slice(runStart);
}

// Text that Python writes as it stands: printable ASCII without escapes.
const PLAIN = /^"[ !#-[\]-~]*"$/;
const BEYOND_ASCII = /[\u007f-\uffff]/g; // with DEL, as in Python

function pythonString(jsonString: string): string {
  return escapeBeyondAscii(JSON.stringify(JSON.parse(jsonString)));
}

function escapeBeyondAscii(text: string): string {
  return text.replace(BEYOND_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

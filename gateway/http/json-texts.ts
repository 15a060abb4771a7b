/**
 * JSON that is put together from texts. Long ones become bytes at once, in a buffer that is used again: each copy of a
 * text lies in fresh memory, and to get that takes ten times as long as to copy.
 */

/** From here on a text is long. */
const LONG_TEXT = 16 * 1024;
/** Kept from one answer to the next; only what was ever written to takes memory. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;
/** UTF-8 of a UTF-16 unit, and `\u0000`. */
const MAX_BYTES_A_UNIT = 6;
/** What may not stand in a JSON string as it is: quotes, control characters, halves of characters. */
const SPECIAL = /["\\\p{Cc}\p{Cs}]/gu;
/** Where runs between what is escaped are shorter, JSON.stringify is faster. */
const LEAST_MEAN_RUN = 256;

/** A long text, escaped when it is written. */
export class EscapedText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  toString(): string {
    return escape(this.#text);
  }

  /** Returns the number of bytes. There must be room for MAX_BYTES_A_UNIT times the length. */
  write(bytes: Buffer, start: number): number {
    const text = this.#text;
    let end = start;
    let from = 0;
    for (let runs = 0; runs * LEAST_MEAN_RUN <= text.length; runs++) {
      SPECIAL.lastIndex = from;
      if (!SPECIAL.test(text)) return end + bytes.write(text.slice(from), end) - start;
      const at = SPECIAL.lastIndex - 1;
      end += bytes.write(text.slice(from, at), end);
      end += bytes.write(escape(text[at]!), end);
      from = at + 1;
    }
    return end + bytes.write(escape(text.slice(from)), end) - start;
  }
}

/** Hot. A text as it stands inside of a JSON string. */
export function inJsonString(text: string): string | EscapedText {
  return text.length < LONG_TEXT ? escape(text) : new EscapedText(text);
}

/** Hot. Texts one after the other, or their UTF-8 bytes where one is long; those are valid until the next call. */
export function joinTexts(texts: readonly (string | EscapedText)[]): string | Uint8Array {
  let joined = '';
  for (const text of texts) {
    if (typeof text !== 'string') return joinLongTexts(texts);
    joined += text;
  }
  return joined;
}

function joinLongTexts(texts: readonly (string | EscapedText)[]): Uint8Array {
  const units = texts.reduce((sum, { length }) => sum + length, 0);
  const bytes = takeBuffer(units * MAX_BYTES_A_UNIT);
  let end = 0;
  let last: EscapedText | undefined;
  let [lastStart, lastEnd] = [0, 0];
  for (const text of texts) {
    if (typeof text === 'string') {
      end += bytes.write(text, end);
    } else if (text === last) {
      end += bytes.copy(bytes, end, lastStart, lastEnd);
    } else {
      last = text;
      lastStart = end;
      end += text.write(bytes, end);
      lastEnd = end;
    }
  }
  return bytes.subarray(0, end);
}

function escape(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

let kept = Buffer.alloc(0);

function takeBuffer(bytes: number): Buffer {
  if (bytes <= kept.length) return kept;
  const buffer = Buffer.allocUnsafeSlow(bytes);
  if (bytes <= MAX_KEPT_BYTES) kept = buffer;
  return buffer;
}

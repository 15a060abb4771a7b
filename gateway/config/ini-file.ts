/** One `option = value` of a file. */
export interface IniEntry {
  readonly name: string;
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

/** The entries below one `[group]` line; those before the first are of DEFAULT. A group may come several times. */
export interface IniGroup {
  readonly name: string;
  readonly line: number;
  readonly entries: IniEntry[];
}

export interface IniFile {
  readonly groups: readonly IniGroup[];
  /** Lines that cannot be read, in words for people; without the file's name. */
  readonly faults: ReadonlyArray<{ readonly line: number; readonly message: string }>;
}

/**
 * Reads the INI dialect that oslo.config writes: `[group]`, `option = value` or `option: value`, values kept as they
 * stand (quotes around a whole value are taken off), comments in lines of their own. Not by a library, because those
 * at hand drop lines they do not understand and end a value at the first # or ;, also in the middle of a secret.
 */
export function parseIni(content: string): IniFile {
  let group: IniGroup = { name: 'DEFAULT', line: 0, entries: [] };
  const groups = [group];
  const faults: { line: number; message: string }[] = [];
  const lines = content.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  for (const [index, raw] of lines.entries()) {
    const text = raw.trim();
    const line = index + 1;
    if (text === '' || text.startsWith('#') || text.startsWith(';')) continue;
    const header = /^\[([^[\]]+)\]$/.exec(text);
    if (header !== null) {
      group = { name: header[1]!.trim(), line, entries: [] };
      groups.push(group);
      continue;
    }
    const entry = readEntry(text, line);
    if (typeof entry === 'string') faults.push({ line, message: entry });
    else group.entries.push(entry);
  }
  return { groups, faults };
}

function readEntry(text: string, line: number): IniEntry | string {
  const split = text.search(/[=:]/);
  if (split <= 0 || text.startsWith('[')) return 'is neither [group] nor option = value';
  const name = text.slice(0, split).trim();
  const value = text.slice(split + 1).trim();
  const quoted = /^(["'])(.*)\1$/s.exec(value);
  if (quoted !== null) return { name, text: quoted[2]!, line };
  if (/\s[#;]/.test(value)) return `${name}: a comment needs a line of its own (or put the whole value in quotes)`;
  return { name, text: value, line };
}

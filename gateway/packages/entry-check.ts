import type { QinlingError } from '../errors.ts';
import { packageRefused } from './package-error.ts';

const MAX_NAME_BYTES = 1024;
/** What file systems take. */
const MAX_SEGMENT_BYTES = 255;
const FILE_TYPE_MASK = 0o170000;
const REGULAR_FILE = 0o100000;
const DIRECTORY = 0o040000;

export interface ArchiveLimits {
  readonly maxUnpackedBytes: number;
  /** Files and directories, also those directories that only the paths below them tell of. */
  readonly maxEntries: number;
}

/** An entry as an archive claims it to be. */
export interface ClaimedEntry {
  readonly name: string;
  readonly isEncrypted: boolean;
  /** Unix type and permissions; 0 where the archive has none. */
  readonly mode: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** One checked entry: a file or a directory, its path relative, without `.` and `..`. */
export interface ArchiveEntry {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly isExecutable: boolean;
  readonly bytes: number;
  readonly crc32: number;
}

/** Checks the table of contents of one archive, entry by entry. Throws INVALID_INPUT with what is wrong. */
export class EntryCheck {
  readonly #limits: ArchiveLimits;
  /** Every path so far: true for a file, false for a directory. */
  readonly #kinds = new Map<string, boolean>();
  #count = 0;
  #bytes = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  tooMany(): QinlingError {
    return packageRefused(`it has more than ${this.#limits.maxEntries} entries.`);
  }

  add({ name, isEncrypted, mode, bytes, crc32 }: ClaimedEntry): ArchiveEntry {
    if (++this.#count > this.#limits.maxEntries) throw this.tooMany();
    const isDirectory = name.endsWith('/');
    const path = checkName(name);
    const shown = shorten(name);
    if (isEncrypted) throw packageRefused(`${shown} is encrypted.`);
    checkType(mode, isDirectory, shown);
    this.#claim(path, isDirectory, shown);
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.maxUnpackedBytes) {
      throw packageRefused(`it unpacks to more than ${this.#limits.maxUnpackedBytes} bytes.`);
    }
    return { path, isDirectory, isExecutable: (mode & 0o111) !== 0, bytes, crc32 };
  }

  #claim(path: string, isDirectory: boolean, shown: string): void {
    const known = this.#kinds.get(path);
    if (known === false && isDirectory) return; // told of before, by itself or by a path below it
    if (known !== undefined) throw packageRefused(`${shown} is there twice.`);
    this.#set(path, !isDirectory);
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      const isFile = this.#kinds.get(parent);
      if (isFile === true) throw packageRefused(`${shown} lies below a file.`);
      if (isFile === false) break;
      this.#set(parent, false);
    }
  }

  #set(path: string, isFile: boolean): void {
    this.#kinds.set(path, isFile);
    if (this.#kinds.size > this.#limits.maxEntries) throw this.tooMany();
  }
}

/** A name for a message. */
export function shorten(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

/** The path in its plain form. */
function checkName(name: string): string {
  const shown = shorten(name);
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw packageRefused(`the name ${shown} is too long.`);
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x1f\\]/.test(name) || /^[a-zA-Z]:/.test(name) || name.startsWith('/')) {
    throw packageRefused(`the name ${shown} is not allowed.`);
  }
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.length === 0 || segments.includes('..')) throw packageRefused(`the name ${shown} is not allowed.`);
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)) {
    throw packageRefused(`the name ${shown} is too long.`);
  }
  return segments.join('/');
}

function checkType(mode: number, isDirectory: boolean, shown: string): void {
  const type = mode & FILE_TYPE_MASK;
  if (type === 0 || type === (isDirectory ? DIRECTORY : REGULAR_FILE)) return;
  throw packageRefused(`${shown} is a link or a special file.`);
}

import type { Readable } from 'node:stream';
import { open, type Entry, type ZipFile } from 'yauzl';
import { QinlingError, invalidInput } from '../errors.ts';
import { NOT_A_ZIP, packageRefused } from './package-error.ts';

const MAX_NAME_BYTES = 1024;
const FILE_TYPE_MASK = 0o170000;
const REGULAR_FILE = 0o100000;
const DIRECTORY = 0o040000;
const ENCRYPTED_FLAG = 1;
const MADE_BY_UNIX = 3;

export interface ArchiveLimits {
  readonly maxUnpackedBytes: number;
  readonly maxEntries: number;
}

/** One checked entry: a file or a directory, its path relative, without `.` and `..`. */
export interface ArchiveEntry {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly isExecutable: boolean;
  readonly bytes: number;
  readonly crc32: number;
  /** The archive's own entry, for `read`. */
  readonly native: Entry;
}

/** A zip on disk whose table of contents was checked; the door to yauzl. */
export class ZipArchive {
  readonly entries: readonly ArchiveEntry[];
  readonly #file: ZipFile;

  private constructor(file: ZipFile, entries: readonly ArchiveEntry[]) {
    this.#file = file;
    this.entries = entries;
  }

  /** Throws INVALID_INPUT for what is no zip, and for one that breaks a rule. */
  static async open(path: string, limits: ArchiveLimits): Promise<ZipArchive> {
    const file = await openFile(path);
    try {
      return new ZipArchive(file, await readEntries(file, limits));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The bytes of a file, unpacked; more or fewer than declared is an error of the stream. */
  read(entry: ArchiveEntry): Promise<Readable> {
    return new Promise((resolve, reject) => {
      this.#file.openReadStream(entry.native, (error, stream) => {
        if (error === null) resolve(stream);
        else reject(packageRefused(`${shorten(entry.path)} cannot be unpacked.`));
      });
    });
  }

  close(): void {
    this.#file.close();
  }
}

export function shorten(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

function openFile(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true };
    open(path, options, (error, file) => {
      if (error === null) return resolve(file);
      const isSystem = typeof (error as NodeJS.ErrnoException).syscall === 'string';
      reject(isSystem ? error : new QinlingError('INVALID_INPUT', NOT_A_ZIP, { cause: error }));
    });
  });
}

function readEntries(file: ZipFile, limits: ArchiveLimits): Promise<ArchiveEntry[]> {
  const check = new EntryCheck(limits);
  return new Promise((resolve, reject) => {
    if (file.entryCount > limits.maxEntries) return reject(check.tooMany());
    file.on('error', (error: Error) => {
      // yauzl checks names for absolute paths, `..` and backslashes, and says which
      const isName = /file ?name|path/i.test(error.message);
      reject(isName ? packageRefused(`${error.message.slice(0, 200)}.`) : invalidInput(NOT_A_ZIP));
    });
    file.on('end', () => resolve(check.entries));
    file.on('entry', (entry: Entry) => {
      try {
        check.add(entry);
        file.readEntry();
      } catch (error) {
        reject(error as Error);
      }
    });
    file.readEntry();
  });
}

class EntryCheck {
  readonly entries: ArchiveEntry[] = [];
  readonly #limits: ArchiveLimits;
  /** Every path so far: true for a file, false for a directory (also one that only paths below it tell of). */
  readonly #kinds = new Map<string, boolean>();
  #bytes = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  tooMany(): QinlingError {
    return packageRefused(`it has more than ${this.#limits.maxEntries} entries.`);
  }

  add(native: Entry): void {
    if (this.entries.length >= this.#limits.maxEntries) throw this.tooMany();
    const isDirectory = native.fileName.endsWith('/');
    const path = checkName(native.fileName);
    const shown = shorten(native.fileName);
    if ((native.generalPurposeBitFlag & ENCRYPTED_FLAG) !== 0) throw packageRefused(`${shown} is encrypted.`);
    const mode = unixMode(native);
    checkType(mode, isDirectory, shown);
    this.#claim(path, isDirectory, shown);
    this.#bytes += native.uncompressedSize;
    if (this.#bytes > this.#limits.maxUnpackedBytes) {
      throw packageRefused(`it unpacks to more than ${this.#limits.maxUnpackedBytes} bytes.`);
    }
    const isExecutable = (mode & 0o111) !== 0;
    this.entries.push({ path, isDirectory, isExecutable, bytes: native.uncompressedSize, crc32: native.crc32, native });
  }

  #claim(path: string, isDirectory: boolean, shown: string): void {
    const known = this.#kinds.get(path);
    if (known === !isDirectory && isDirectory) return; // a directory that was named before
    if (known !== undefined) throw packageRefused(`${shown} is there twice.`);
    this.#kinds.set(path, !isDirectory);
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      if (this.#kinds.get(parent) === true) throw packageRefused(`${shown} lies below a file.`);
      if (this.#kinds.has(parent)) break;
      this.#kinds.set(parent, false);
    }
  }
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
  return segments.join('/');
}

function unixMode(entry: Entry): number {
  return entry.versionMadeBy >> 8 === MADE_BY_UNIX ? entry.externalFileAttributes >>> 16 : 0;
}

function checkType(mode: number, isDirectory: boolean, shown: string): void {
  const type = mode & FILE_TYPE_MASK;
  if (type === 0 || type === (isDirectory ? DIRECTORY : REGULAR_FILE)) return;
  throw packageRefused(`${shown} is a link or a special file.`);
}

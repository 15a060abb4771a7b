import type { Readable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';
import { fromRandomAccessReader, type Entry, type ZipFile } from 'yauzl';
import { QinlingError } from '../errors.ts';
import type { FileSource } from '../file-source.ts';
import { EntryCheck, shorten, type ArchiveEntry, type ArchiveLimits } from './entry-check.ts';
import { NOT_A_ZIP, packageRefused } from './package-error.ts';
import { ZipReader } from './zip-reader.ts';

/** An entry up to this size is unpacked at once: that takes less than to set a stream up. */
const MAX_AT_ONCE_BYTES = 64 * 1024;
const ENCRYPTED_FLAG = 1;
const STORED = 0;
const DEFLATED = 8;
/** Systems whose archives carry Unix modes: Unix, Darwin. */
const WITH_MODES: ReadonlySet<number> = new Set([3, 19]);

/** What yauzl's types leave out. */
interface LocalHeaders {
  readLocalFileHeader(
    entry: Entry,
    options: { minimal: true },
    callback: (error: Error | null, header: { fileDataStart: number }) => void,
  ): void;
}

/** A zip whose table of contents was checked; the door to yauzl. */
export class ZipArchive {
  readonly entries: readonly ArchiveEntry[];
  readonly #reader: ZipReader;
  readonly #file: ZipFile;
  readonly #natives: ReadonlyMap<ArchiveEntry, Entry>;

  private constructor(reader: ZipReader, file: ZipFile, natives: ReadonlyMap<ArchiveEntry, Entry>) {
    this.#reader = reader;
    this.#file = file;
    this.#natives = natives;
    this.entries = [...natives.keys()];
  }

  /** Throws INVALID_INPUT for what is no zip, and for one that breaks a rule. */
  static async open(source: FileSource, limits: ArchiveLimits): Promise<ZipArchive> {
    const reader = await ZipReader.open(source);
    try {
      const file = await openFile(reader);
      return new ZipArchive(reader, file, await readEntries(file, limits));
    } catch (error) {
      await reader.closeFile();
      throw error;
    }
  }

  /**
   * The bytes of a file, unpacked; more or fewer than declared is an error while they are read, if not seen before: who
   * reads them counts.
   */
  async read(entry: ArchiveEntry): Promise<AsyncIterable<Buffer> | Iterable<Buffer>> {
    const native = this.#natives.get(entry)!;
    const isAtOnce = native.uncompressedSize <= MAX_AT_ONCE_BYTES && native.compressedSize <= MAX_AT_ONCE_BYTES;
    const isPlain = native.compressionMethod === STORED || native.compressionMethod === DEFLATED;
    if (!this.#reader.isInMemory || !isAtOnce || !isPlain) return this.#openStream(entry, native);
    const start = await this.#findData(entry, native);
    const data = this.#reader.peek(start, start + native.compressedSize);
    if (data === undefined) throw new Error('unexpected end of the file');
    if (native.compressionMethod === STORED) return [data];
    return [inflateRawSync(data, { maxOutputLength: Math.max(1, native.uncompressedSize) })];
  }

  async close(): Promise<void> {
    this.#file.close();
    await this.#reader.closeFile();
  }

  #openStream(entry: ArchiveEntry, native: Entry): Promise<Readable> {
    return new Promise((resolve, reject) => {
      this.#file.openReadStream(native, (error, stream) => {
        if (error === null) resolve(stream);
        else reject(toEntryRefusal(error, entry));
      });
    });
  }

  #findData(entry: ArchiveEntry, native: Entry): Promise<number> {
    return new Promise((resolve, reject) => {
      const file = this.#file as ZipFile & LocalHeaders;
      file.readLocalFileHeader(native, { minimal: true }, (error, header) => {
        if (error === null) resolve(header.fileDataStart);
        else reject(toEntryRefusal(error, entry));
      });
    });
  }
}

function openFile(reader: ZipReader): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true };
    fromRandomAccessReader(reader, reader.bytes, options, (error, file) => {
      if (error === null) resolve(file);
      else reject(toRefusal(error));
    });
  });
}

function readEntries(file: ZipFile, limits: ArchiveLimits): Promise<Map<ArchiveEntry, Entry>> {
  const check = new EntryCheck(limits);
  const natives = new Map<ArchiveEntry, Entry>();
  return new Promise((resolve, reject) => {
    if (file.entryCount > limits.maxEntries) return reject(check.tooMany());
    file.on('error', (error: Error) => reject(toRefusal(error)));
    file.on('end', () => (natives.size > 0 ? resolve(natives) : reject(packageRefused('it is empty.'))));
    file.on('entry', (native: Entry) => {
      try {
        natives.set(check.add(describe(native)), native);
        file.readEntry();
      } catch (error) {
        reject(error as Error);
      }
    });
    file.readEntry();
  });
}

function describe(native: Entry) {
  return {
    name: native.fileName,
    isEncrypted: (native.generalPurposeBitFlag & ENCRYPTED_FLAG) !== 0,
    mode: WITH_MODES.has(native.versionMadeBy >> 8) ? native.externalFileAttributes >>> 16 : 0,
    bytes: native.uncompressedSize,
    crc32: native.crc32,
  };
}

/** yauzl checks names for absolute paths, `..` and backslashes itself, and says which one is wrong. */
function toRefusal(error: Error): Error {
  if (isSystem(error)) return error;
  if (/^(absolute path|invalid relative path|invalid characters in fileName):/.test(error.message)) {
    return packageRefused(`${error.message.slice(0, 200)}.`);
  }
  if (error.message.startsWith('strong encryption')) return packageRefused('it is encrypted.', error);
  return new QinlingError('INVALID_INPUT', NOT_A_ZIP, { cause: error });
}

function toEntryRefusal(error: Error, { path }: ArchiveEntry): Error {
  return isSystem(error) ? error : packageRefused(`${shorten(path)} cannot be unpacked.`);
}

function isSystem(error: Error): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

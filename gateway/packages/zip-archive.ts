import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RandomAccessReader, fromRandomAccessReader, type Entry, type ZipFile } from 'yauzl';
import { QinlingError } from '../errors.ts';
import { EntryCheck, shorten, type ArchiveEntry, type ArchiveLimits } from './entry-check.ts';
import { NOT_A_ZIP, packageRefused } from './package-error.ts';

const CHUNK_BYTES = 64 * 1024;
const ENCRYPTED_FLAG = 1;
/** Systems whose archives carry Unix modes: Unix, Darwin. */
const WITH_MODES: ReadonlySet<number> = new Set([3, 19]);

/** A zip on disk whose table of contents was checked; the door to yauzl. */
export class ZipArchive {
  readonly entries: readonly ArchiveEntry[];
  readonly #handle: FileHandle;
  readonly #file: ZipFile;
  readonly #natives: ReadonlyMap<ArchiveEntry, Entry>;

  private constructor(handle: FileHandle, file: ZipFile, natives: ReadonlyMap<ArchiveEntry, Entry>) {
    this.#handle = handle;
    this.#file = file;
    this.#natives = natives;
    this.entries = [...natives.keys()];
  }

  /** Throws INVALID_INPUT for what is no zip, and for one that breaks a rule. */
  static async open(path: string, limits: ArchiveLimits): Promise<ZipArchive> {
    const handle = await open(path, 'r');
    try {
      const file = await openFile(handle, (await handle.stat()).size);
      return new ZipArchive(handle, file, await readEntries(file, limits));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The bytes of a file, unpacked; more or fewer than declared is an error of the stream. */
  read(entry: ArchiveEntry): Promise<Readable> {
    return new Promise((resolve, reject) => {
      this.#file.openReadStream(this.#natives.get(entry)!, (error, stream) => {
        if (error === null) resolve(stream);
        else reject(isSystem(error) ? error : packageRefused(`${shorten(entry.path)} cannot be unpacked.`));
      });
    });
  }

  async close(): Promise<void> {
    this.#file.close();
    await this.#handle.close();
  }
}

/**
 * Reads only inside of the file. yauzl's own reader hands every offset that an archive claims to `fs.read`, which throws
 * for those that are no safe integers, in a callback where nobody catches it.
 */
class BoundedReader extends RandomAccessReader {
  readonly #handle: FileHandle;
  readonly #bytes: number;

  constructor(handle: FileHandle, bytes: number) {
    super();
    this.#handle = handle;
    this.#bytes = bytes;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const end = position + length;
    this.#fill(buffer.subarray(offset, offset + length), position, end).then(
      () => setImmediate(callback, null), // outside of the promise, so that no fault of the callback is lost in it
      (error: unknown) => setImmediate(callback, error as Error),
    );
  }

  override createReadStream({ start, end }: { start: number; end: number }): Readable {
    return Readable.from(this.#chunks(start, end), { objectMode: false });
  }

  async #fill(target: Buffer, start: number, end: number): Promise<void> {
    let filled = 0;
    for await (const chunk of this.#chunks(start, end)) filled += chunk.copy(target, filled);
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    if (!(start >= 0 && start <= end && end <= this.#bytes)) throw new Error('unexpected end of the file');
    for (let position = start; position < end;) {
      const length = Math.min(CHUNK_BYTES, end - position);
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, position);
      if (bytesRead === 0) throw new Error('unexpected end of the file');
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
    }
  }
}

function openFile(handle: FileHandle, bytes: number): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true };
    fromRandomAccessReader(new BoundedReader(handle, bytes), bytes, options, (error, file) => {
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

function isSystem(error: Error): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

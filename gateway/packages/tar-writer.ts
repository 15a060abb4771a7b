import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Header, Pax } from 'tar';

const BLOCK_BYTES = 512;
const EPOCH = new Date(0);
/** Small files are written together. */
const BATCH_BYTES = 256 * 1024;

/**
 * Writes a tar to disk, always the same bytes for the same contents, and knows its sha256 at the end. The gateway's door
 * to tar.
 */
export class TarWriter {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  #batch: Buffer[] = [];
  #batchBytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string): Promise<TarWriter> {
    return new TarWriter(await open(path, 'wx', 0o600));
  }

  async addDirectory(path: string): Promise<void> {
    await this.#writeHeader({ path: `${path}/`, type: 'Directory', mode: 0o755, size: 0 });
  }

  /** `contents` must give exactly `bytes` bytes. */
  async addFile(path: string, isExecutable: boolean, bytes: number, contents: AsyncIterable<Buffer>): Promise<void> {
    await this.#writeHeader({ path, type: 'File', mode: isExecutable ? 0o755 : 0o644, size: bytes });
    let written = 0;
    for await (const chunk of contents) {
      written += chunk.length;
      await this.#write(chunk);
    }
    if (written !== bytes) throw new Error(`${path} has ${written} bytes instead of ${bytes}`);
    const rest = bytes % BLOCK_BYTES;
    if (rest > 0) await this.#write(Buffer.alloc(BLOCK_BYTES - rest));
  }

  /** Ends the archive; resolves with its sha256, hex. */
  async finish(): Promise<string> {
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    await this.#flush();
    await this.#file.close();
    return this.#hash.digest('hex');
  }

  /** Closes the file as it is; harmless after `finish`. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #writeHeader(fields: { path: string; type: 'File' | 'Directory'; mode: number; size: number }): Promise<void> {
    const header = new Header({ ...fields, mtime: EPOCH, uid: 0, gid: 0 });
    const needsPax = header.encode();
    const pax = needsPax
      ? new Pax({ path: fields.path, size: fields.size, mtime: EPOCH, uid: 0, gid: 0 }).encode()
      : undefined;
    await this.#write(pax === undefined ? header.block! : Buffer.concat([pax, header.block!]));
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#batch.push(bytes);
    this.#batchBytes += bytes.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#hash.update(bytes);
    await this.#file.writeFile(bytes); // at the place where the last write ended; all of it
  }
}

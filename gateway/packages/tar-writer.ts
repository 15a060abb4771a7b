import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { Header, Pax } from 'tar';
import type { FileSource } from '../file-source.ts';

const BLOCK_BYTES = 512;
const EPOCH = new Date(0);
/** So much is written at a time; a tar that is not larger stays in memory. */
const BATCH_BYTES = 256 * 1024;

export interface WrittenTar {
  readonly source: FileSource;
  /** Hex. */
  readonly sha256: string;
}

/**
 * Writes a tar, to disk where it is not small, always the same bytes for the same contents, and knows its sha256 at the
 * end. The gateway's door to tar.
 */
export class TarWriter {
  readonly #path: string;
  #file: FileHandle | undefined;
  readonly #hash = createHash('sha256');
  #batch: Buffer[] = [];
  #batchBytes = 0;

  /** `path`: of a new file, made when it is needed. */
  constructor(path: string) {
    this.#path = path;
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

  /** Ends the archive. A file is the caller's to move or remove. */
  async finish(): Promise<WrittenTar> {
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    if (this.#file === undefined) {
      const content = this.#takeBatch();
      return { source: { content }, sha256: this.#hash.digest('hex') };
    }
    await this.#flush();
    await this.#file.close();
    return { source: { path: this.#path }, sha256: this.#hash.digest('hex') };
  }

  /** Removes what was written; not after `finish`. */
  async abandon(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.close().catch(() => undefined);
    await rm(this.#path, { force: true });
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
    const bytes = this.#takeBatch();
    this.#file ??= await open(this.#path, 'wx', 0o600);
    await this.#file.writeFile(bytes); // at the place where the last write ended; all of it
  }

  #takeBatch(): Buffer {
    const bytes = Buffer.concat(this.#batch, this.#batchBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#hash.update(bytes);
    return bytes;
  }
}

import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RandomAccessReader } from 'yauzl';
import type { FileSource } from '../file-source.ts';

const CHUNK_BYTES = 64 * 1024;
/** So many reads from memory, and others get their turn. */
const READS_IN_A_ROW = 64;

/**
 * What yauzl reads an archive through: only inside of it. yauzl's own readers hand every offset that an archive claims to
 * Node.js, which throws for those that are no safe integers, in a callback where nobody catches it.
 *
 * A table of contents is read in pieces of 46 bytes and a name: what lies around the last one is kept in memory. Of an
 * archive in memory that is all of it.
 */
export class ZipReader extends RandomAccessReader {
  readonly bytes: number;
  readonly #handle: FileHandle | undefined;
  #window: Buffer;
  #windowStart = 0;
  #reads = 0;

  private constructor(bytes: number, window: Buffer, handle: FileHandle | undefined) {
    super();
    this.bytes = bytes;
    this.#window = window;
    this.#handle = handle;
  }

  static async open(source: FileSource): Promise<ZipReader> {
    if ('content' in source) return new ZipReader(source.content.length, source.content, undefined);
    const handle = await open(source.path, 'r');
    try {
      return new ZipReader((await handle.stat()).size, Buffer.alloc(0), handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** True where nothing that is read has to be waited for. */
  get isInMemory(): boolean {
    return this.#handle === undefined;
  }

  /** The bytes of that range, if they are in memory. */
  peek(start: number, end: number): Buffer | undefined {
    const from = start - this.#windowStart;
    const isInside = start >= this.#windowStart && end >= start && end <= this.#windowStart + this.#window.length;
    return isInside ? this.#window.subarray(from, from + end - start) : undefined;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const target = buffer.subarray(offset, offset + length);
    const held = this.peek(position, position + length);
    if (held !== undefined) {
      held.copy(target);
      // Not at once: yauzl would go deeper with each entry.
      if (++this.#reads % READS_IN_A_ROW === 0) setImmediate(callback, null);
      else process.nextTick(callback, null);
      return;
    }
    this.#fill(target, position, position + length).then(
      () => setImmediate(callback, null), // outside of the promise, so that no fault of the callback is lost in it
      (error: unknown) => setImmediate(callback, error as Error),
    );
  }

  override createReadStream({ start, end }: { start: number; end: number }): Readable {
    return Readable.from(this.#chunks(start, end), { objectMode: false });
  }

  async closeFile(): Promise<void> {
    await this.#handle?.close();
  }

  async #fill(target: Buffer, start: number, end: number): Promise<void> {
    let filled = 0;
    const windowEnd = Math.min(this.bytes, Math.max(end, start + CHUNK_BYTES));
    for await (const chunk of this.#chunks(start, end, windowEnd)) {
      this.#window = chunk;
      this.#windowStart = start + filled;
      filled += chunk.copy(target, filled);
    }
  }

  /** All of a range; the last chunk may go on, until `readEnd`. */
  async *#chunks(start: number, end: number, readEnd = end): AsyncGenerator<Buffer> {
    if (!(start >= 0 && start <= end && end <= this.bytes)) throw new Error('unexpected end of the file');
    for (let position = start; position < end;) {
      const chunk = this.peek(position, end) ?? (await this.#readChunk(position, readEnd));
      if (chunk.length === 0) throw new Error('unexpected end of the file');
      yield chunk;
      position += chunk.length;
    }
  }

  async #readChunk(position: number, end: number): Promise<Buffer> {
    const length = Math.min(CHUNK_BYTES, end - position);
    const { bytesRead, buffer } = await this.#handle!.read(Buffer.allocUnsafe(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  }
}

import type { NativeResponse } from './server.ts';

/** Writes the body of an answer at the pace of the client that reads it. One write at a time. */
export class PacedWriter {
  readonly #res: NativeResponse;
  #wake: (() => void) | undefined;

  constructor(res: NativeResponse) {
    this.#res = res;
  }

  /** The client is gone: ends the wait, and nothing may be written from now on. */
  abort(): void {
    this.#wake?.();
  }

  /** A part of a body of known length. Resolves when there is room for the next one, or on abort. */
  writeOf(totalBytes: number, part: Buffer): Promise<void> {
    return new Promise((resolve) => {
      const start = this.#res.getWriteOffset();
      let isWritten = false;
      this.#res.cork(() => {
        [isWritten] = this.#res.tryEnd(part, totalBytes);
      });
      if (isWritten) return resolve();
      this.#wake = resolve;
      this.#res.onWritable((offset) => {
        const [isDone] = this.#res.tryEnd(part.subarray(offset - start), totalBytes);
        if (isDone) resolve();
        return isDone;
      });
    });
  }

  /** A part of a body of unknown length, chunked. Resolves when there is room for the next one, or on abort. */
  writeChunk(text: string): Promise<void> {
    return new Promise((resolve) => {
      let isWritten = true;
      this.#res.cork(() => {
        isWritten = this.#res.write(text);
      });
      if (isWritten) return setImmediate(resolve); // others have their turn between two parts
      this.#wake = resolve;
      this.#res.onWritable(() => {
        resolve();
        return true;
      });
    });
  }
}

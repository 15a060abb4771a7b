import type { NativeResponse } from './server.ts';

/** Writes the body of an answer at the pace of the client that reads it. One write at a time. */
export class PacedWriter {
  readonly #res: NativeResponse;
  #wake: (() => void) | undefined;
  #isListening = false;
  /** Set while a write waits: goes on with it, and tells whether all of it was taken. */
  #goOn: ((offset: number) => boolean) | undefined;

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
      this.#whenWritable((offset) => this.#res.tryEnd(part.subarray(offset - start), totalBytes)[0], resolve);
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
      this.#whenWritable(() => true, resolve);
    });
  }

  /**
   * uWebSockets.js gets one handler for the whole answer: it would lose one that is set while another runs, and the next
   * part may be on its way before that one returns.
   */
  #whenWritable(goOn: (offset: number) => boolean, resolve: () => void): void {
    this.#wake = resolve;
    this.#goOn = goOn;
    if (this.#isListening) return;
    this.#isListening = true;
    this.#res.onWritable((offset) => this.#onWritable(offset));
  }

  #onWritable(offset: number): boolean {
    if (this.#goOn?.(offset) === false) return false;
    this.#goOn = undefined;
    this.#wake?.();
    return true;
  }
}

import type { Socket } from 'node:net';
import { FrameSplitter, type FrameReader } from './host-protocol.ts';

export interface HostConnectionEvents {
  onFrame(frame: FrameReader): void;
  /** Comes once, after every frame that the peer sent. */
  onClosed(): void;
}

/** One connection of a language host: frames in, frames out, written once a turn of the event loop. */
export class HostConnection {
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter();
  #events: HostConnectionEvents | undefined;
  #isCorked = false;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', () => undefined); // `close` follows
    socket.on('close', () => {
      this.#isClosed = true;
      this.#events?.onClosed();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True while a part of a frame has come, and its rest has not. */
  get isWithinFrame(): boolean {
    return this.#splitter.isWithinFrame;
  }

  /** Who gets the frames from now on. */
  listen(events: HostConnectionEvents): void {
    this.#events = events;
  }

  /** Hot. */
  send(frame: Buffer): void {
    if (this.#isClosed) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    try {
      for (const frame of this.#splitter.push(chunk)) this.#events?.onFrame(frame);
    } catch {
      this.#socket.destroy(); // whoever speaks so is no host of ours; its owner sees the connection go
    }
  }
}

import type { Socket } from 'node:net';
import { FrameSplitter, type FrameReader } from './host-protocol.ts';

/** Frames of one turn that are longer together are not copied. */
const MAX_COPIED_BYTES = 64 * 1024;

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
  #frames: Buffer[] = [];
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
    if (this.#frames.push(frame) === 1) setImmediate(() => this.#flush());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Small frames go as one: copying them costs less than what a stream does for each of its writes. */
  #flush(): void {
    const frames = this.#frames;
    this.#frames = [];
    if (this.#isClosed) return;
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (bytes <= MAX_COPIED_BYTES)
      return void this.#socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames, bytes));
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  }

  #onData(chunk: Buffer): void {
    try {
      for (const frame of this.#splitter.push(chunk)) this.#events?.onFrame(frame);
    } catch {
      this.#socket.destroy(); // whoever speaks so is no host of ours; its owner sees the connection go
    }
  }
}

import type { Link } from './link.ts';
import type { PendingCall } from './pending-table.ts';

/** Text of an invocation from this place in its log; some may come again, none is left out before the end. */
export type OnLog = (offset: number, log: Uint8Array) => void;

/** What one reader gets of the text of one invocation. */
export interface LogStream {
  readonly link: Link;
  readonly call: PendingCall;
  /** The invocation has ended, or was lost. */
  readonly isOver: boolean;
  /** May be called twice. */
  stop(): void;
}

class Stream implements LogStream {
  readonly link: Link;
  readonly call: PendingCall;
  readonly onLog: OnLog;
  readonly #onStop: (stream: Stream) => void;
  isOver = false;

  constructor(link: Link, call: PendingCall, onLog: OnLog, onStop: (stream: Stream) => void) {
    this.link = link;
    this.call = call;
    this.onLog = onLog;
    this.#onStop = onStop;
  }

  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#onStop(this);
  }
}

/** The readers of one link's invocations, by slot. */
export class LogStreams {
  readonly #link: Link;
  readonly #onUnused: (slot: number) => void;
  readonly #bySlot = new Map<number, Set<Stream>>();

  /** `onUnused`: the last reader of an invocation that still runs has gone. */
  constructor(link: Link, onUnused: (slot: number) => void) {
    this.#link = link;
    this.#onUnused = onUnused;
  }

  /** Hot. */
  get isEmpty(): boolean {
    return this.#bySlot.size === 0;
  }

  /** Slots with a reader, and the calls that they were given for. */
  get calls(): [slot: number, call: PendingCall][] {
    return [...this.#bySlot].flatMap(([slot, [stream]]) => (stream === undefined ? [] : [[slot, stream.call]]));
  }

  open(slot: number, call: PendingCall, onLog: OnLog): LogStream {
    const streams = this.#bySlot.get(slot) ?? new Set();
    const stream = new Stream(this.#link, call, onLog, (stopped) => {
      streams.delete(stopped);
      if (streams.size > 0 || this.#bySlot.get(slot) !== streams) return;
      this.#bySlot.delete(slot);
      this.#onUnused(slot);
    });
    streams.add(stream);
    this.#bySlot.set(slot, streams);
    return stream;
  }

  deliver(slot: number, offset: number, log: Uint8Array): void {
    for (const { onLog } of this.#bySlot.get(slot) ?? []) onLog(offset, log);
  }

  /** The invocation of this slot has ended. */
  end(slot: number): void {
    const streams = this.#bySlot.get(slot);
    this.#bySlot.delete(slot);
    for (const stream of streams ?? []) stream.isOver = true;
  }

  endAll(): void {
    for (const slot of [...this.#bySlot.keys()]) this.end(slot);
  }
}

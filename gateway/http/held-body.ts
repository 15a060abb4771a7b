/** Where the bytes of a body come from: the native response, or what was held of it. */
export interface BodySource {
  /** Called once; bytes are valid until the handler returns. */
  onData(handler: OnData): unknown;
  pause(): unknown;
  resume(): unknown;
}

type OnData = (chunk: ArrayBuffer, isLast: boolean) => void;

/** Bytes at which a client is told to wait. */
const HELD_BYTES = 64 * 1024;

/**
 * Keeps the beginning of a body for a reader who comes in a later turn, because uWebSockets.js throws away what nobody
 * takes in the turn in which it came. Must be made in the turn of the request.
 *
 *   Holding --onData--> Read: what was held, then what comes        any --drop--> Dropped: what still comes goes
 *
 * A client whose body is longer than what is held waits meanwhile. A client that is gone must be told of by `abandon`.
 */
export class HeldBody implements BodySource {
  readonly #source: BodySource;
  #held: ArrayBuffer[] = [];
  #heldBytes = 0;
  #isComplete = false;
  #isPaused = false;
  #handler: OnData | undefined;
  #isOver = false;

  constructor(source: BodySource) {
    this.#source = source;
    source.onData((chunk, isLast) => this.#take(chunk, isLast));
  }

  onData(handler: OnData): void {
    const held = this.#held;
    this.#held = [];
    this.#handler = handler;
    const wasPaused = this.#isPaused;
    this.#isPaused = false; // the reader may tell the client to wait; if he does not, it goes on
    for (const [index, chunk] of held.entries()) handler(chunk, this.#isComplete && index === held.length - 1);
    if (wasPaused && !this.#isPaused && !this.#isOver) this.#source.resume();
  }

  pause(): void {
    this.#isPaused = true;
    this.#source.pause();
  }

  resume(): void {
    if (this.#isPaused && !this.#isOver) this.#source.resume();
    this.#isPaused = false;
  }

  /** Before an answer that does not wait for the body: its rest is thrown away, so that the client hears the answer. */
  drop(): void {
    this.#held = [];
    this.resume();
    this.#isOver = true;
  }

  /** The client is gone: the source must not be touched any more. */
  abandon(): void {
    this.#isOver = true;
    this.#held = [];
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#isOver) return;
    if (this.#handler !== undefined) return this.#handler(chunk, isLast);
    this.#held.push(chunk.slice(0));
    this.#heldBytes += chunk.byteLength;
    this.#isComplete = isLast;
    if (!isLast && this.#heldBytes > HELD_BYTES && !this.#isPaused) this.pause();
  }
}

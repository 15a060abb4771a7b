import { QinlingError } from '../../errors.ts';

/** Waiting checks of one lane; one more is refused. */
const MAX_WAITING = 8;
const RETRY_SECONDS = 1;

/**
 * Slow hashes take turns, few at a time, so that whoever sends wrong passwords keeps neither the processors nor the
 * threads that files are read with. Each user has a lane of its own, and those whom nobody knows share one: lanes are
 * served one after the other, so that nobody is kept out by what is tried for others.
 *
 *   alice    ■ ■ ■ ■ ■ ■ ■ ■ ╳          ┐
 *   bob      ■                          ├─ one of each in turn ─► hashes under way (few)
 *   unknown  ■ ■ ■ ■ ■ ■ ■ ■ ╳ ╳ ╳ ╳    ┘   ╳: refused, TOO_BUSY
 */
export class HashingLine {
  readonly #concurrency: number;
  readonly #lanes = new Map<string, (() => void)[]>();
  #running = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** Runs the work in its turn. Rejects with TOO_BUSY where its lane is full. */
  async run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    await this.#turn(lane);
    try {
      return await work();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  #turn(lane: string): Promise<void> {
    const waiting = this.#lanes.get(lane) ?? [];
    if (waiting.length >= MAX_WAITING) {
      throw new QinlingError('TOO_BUSY', 'Too many credentials are being checked.', {
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    return new Promise((resolve) => {
      waiting.push(resolve);
      this.#lanes.set(lane, waiting);
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#concurrency) {
      const [first] = this.#lanes;
      if (first === undefined) return;
      const [lane, waiting] = first;
      const start = waiting.shift()!;
      this.#lanes.delete(lane); // to the end, if anybody is left
      if (waiting.length > 0) this.#lanes.set(lane, waiting);
      this.#running++;
      start();
    }
  }
}

/** How long ends are counted before a further worker. */
const WINDOW_MS = 200;
/** A worker that raises the rate by less was of no use: what runs shares processors that are full. */
const LEAST_GAIN = 1.1;
/** How long none is tried then. */
const HOLD_MS = 10_000;

/**
 * Whether a further worker makes a long line of short calls shorter. It does where calls wait for something else, and not
 * where the workers there are keep the processors busy: it would take its place from other functions, and the time of its
 * start from all of them.
 */
export class GrowthCheck {
  #endedCount = 0;
  /** Of the window; 0: none has begun. */
  #sinceMs = 0;
  #endedAtStart = 0;
  #workers = 0;
  /** Ends a millisecond before the last worker came. */
  #rate = 0;
  #heldUntilMs = 0;

  /** Hot. A call has ended. */
  ended(): void {
    this.#endedCount++;
  }

  /** Asked again and again while calls wait; true: one more. */
  mayGrow(workers: number, nowMs: number): boolean {
    if (nowMs < this.#heldUntilMs) return false;
    if (this.#sinceMs === 0 || workers !== this.#workers) {
      this.#begin(workers, nowMs);
      return false;
    }
    if (nowMs - this.#sinceMs < WINDOW_MS) return false;
    const rate = (this.#endedCount - this.#endedAtStart) / (nowMs - this.#sinceMs);
    this.#begin(workers, nowMs);
    if (rate === 0 || rate > this.#rate * LEAST_GAIN) {
      this.#rate = rate;
      return true;
    }
    this.reset();
    this.#heldUntilMs = nowMs + HOLD_MS;
    return false;
  }

  /** No call waits any more. */
  reset(): void {
    this.#sinceMs = 0;
    this.#rate = 0;
    this.#heldUntilMs = 0;
  }

  #begin(workers: number, nowMs: number): void {
    this.#workers = workers;
    this.#sinceMs = nowMs;
    this.#endedAtStart = this.#endedCount;
  }
}

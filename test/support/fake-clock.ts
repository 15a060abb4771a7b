import { EventEmitter, once } from 'node:events';
import type { Clock } from '../../gateway/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A clock that a test moves. Whoever sleeps by it is awake until it sleeps again. */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #events = new EventEmitter();
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    this.#events.emit('asleep');
    return () => void this.#timers.delete(timer);
  }

  /** Resolves when someone sleeps. */
  async asleep(): Promise<void> {
    const alive = setInterval(() => undefined, 1_000); // a test may wait for nothing else
    while (this.#timers.size === 0) await once(this.#events, 'asleep');
    clearInterval(alive);
  }

  /** Moves to a time, by way of every moment at which a sleeper wakes; each is asleep again before the next. */
  async moveTo(timeMs: number): Promise<void> {
    for (;;) {
      await this.asleep();
      const next = [...this.#timers].reduce((first, timer) => (timer.atMs < first.atMs ? timer : first));
      if (next.atMs > timeMs) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = timeMs;
  }

  /** Jumps, as a machine does that slept: nobody wakes in between. */
  jumpTo(timeMs: number): void {
    this.#nowMs = timeMs;
  }
}

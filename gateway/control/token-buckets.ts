import { LRUCache } from 'lru-cache';

/** Keys beyond this are forgotten, those longest without a call first; a forgotten one has its whole burst again. */
const MAX_KEYS = 10_000;

export interface TokenBucketsOptions {
  /** Calls a second that a key may make for long; 0: any number. */
  readonly perSecond: number;
  /** Calls that a key may make at once. */
  readonly burst: number;
}

/** A token bucket for each key. One number a key: the moment at which its bucket is full again. */
export class TokenBuckets {
  readonly #fullAtMs = new LRUCache<string, number>({ max: MAX_KEYS });
  readonly #intervalMs: number;
  readonly #depthMs: number;

  constructor({ perSecond, burst }: TokenBucketsOptions) {
    this.#intervalMs = perSecond === 0 ? 0 : 1000 / perSecond;
    this.#depthMs = this.#intervalMs * burst;
  }

  /** Takes one token: 0. Where there is none, nothing is taken: the milliseconds until there is. */
  take(key: string, nowMs: number): number {
    if (this.#intervalMs === 0) return 0;
    const fullAtMs = Math.max(this.#fullAtMs.get(key) ?? nowMs, nowMs) + this.#intervalMs;
    const waitMs = fullAtMs - nowMs - this.#depthMs;
    if (waitMs > 0.001) return waitMs; // rounding of sums of intervals is no shortage
    this.#fullAtMs.set(key, fullAtMs);
    return 0;
  }

  get size(): number {
    return this.#fullAtMs.size;
  }
}

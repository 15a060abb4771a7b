/** A call that takes this long must not have others behind it, however rare it is. */
export const LONG_MS = 20;
/** Where nothing ended for so long, what waits behind those that run is trapped, however short calls were until now. */
export const STALL_MS = 100;
/** One long call keeps pipelining off for about this many short ones. */
const LONG_MEMORY_CALLS = 200;
const MEAN_WEIGHT = 0.05;

const DEPTH_BY_MEAN: readonly (readonly [maxMeanMs: number, depth: number])[] = [
  [0.5, 16],
  [1, 8],
  [2, 4],
  [4, 2],
];

/**
 * How long a target's calls took lately, and what follows for pipelining; both sides of the link keep one per target.
 *
 * The mean decides how many short calls may be in flight at a process: its own spikes (a process that waits a few
 * milliseconds for a core) do not change it much. A long call does, at once, so that a slow one never traps fast ones.
 */
export class RecentDurations {
  #meanMs: number | undefined = undefined;
  #shortCallsSinceLong = LONG_MEMORY_CALLS;
  #lastEndMs = 0;

  /** Hot. */
  record(durationMs: number, nowMs: number): void {
    this.#lastEndMs = nowMs;
    if (durationMs >= LONG_MS) this.#shortCallsSinceLong = 0;
    else if (this.#shortCallsSinceLong < LONG_MEMORY_CALLS) this.#shortCallsSinceLong++;
    this.#meanMs = this.#meanMs === undefined ? durationMs : this.#meanMs + (durationMs - this.#meanMs) * MEAN_WEIGHT;
  }

  /** Milliseconds; 0 before the first call. */
  get meanMs(): number {
    return this.#meanMs ?? 0;
  }

  /**
   * How long `turns` calls one after the other will take, in milliseconds: by the mean, or by how long nothing has ended
   * (`sinceMs`: since when there was something to end) where that says more.
   */
  expectedMs(turns: number, sinceMs: number, nowMs: number): number {
    return turns * Math.max(this.meanMs, nowMs - Math.max(this.#lastEndMs, sinceMs));
  }

  /** Hot. How many invocations one process may hold at a time. */
  get depth(): number {
    const meanMs = this.#meanMs;
    if (meanMs === undefined || this.#shortCallsSinceLong < LONG_MEMORY_CALLS) return 1;
    for (const [maxMeanMs, depth] of DEPTH_BY_MEAN) if (meanMs <= maxMeanMs) return depth;
    return 1;
  }
}

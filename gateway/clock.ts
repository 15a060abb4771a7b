/** Time for what waits for it; tests bring a clock of their own. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  /** Milliseconds that pass evenly, since some moment: no one sets them, and they stand still while the machine sleeps. */
  monotonicMs(): number;
  /** Runs `run` once after the delay, unless the function that is returned was called. Keeps no process alive. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

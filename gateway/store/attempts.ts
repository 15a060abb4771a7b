import type { TimeMs } from './store.ts';

/** How often an asynchronous execution is tried, and how long it rests between two attempts. */
export interface RetryPolicy {
  /** With the first one. */
  readonly maxAttempts: number;
  /** Between the end of the first attempt and the second one. */
  readonly backoffSeconds: number;
  /** Each further rest is so many times the one before, */
  readonly backoffRate: number;
  /** and no longer than this. */
  readonly maxBackoffSeconds: number;
}

/** The attempts of an execution that may have more than one. */
export interface Attempts {
  /** The number of the attempt that runs, waits or was the last; the first one is 1. */
  readonly number: number;
  /** The attempt that this round began with: 1, or a later one where the execution was run again by hand. */
  readonly first: number;
  /** The function's policy when the execution was accepted; null where it had none. */
  readonly policy: RetryPolicy | null;
  /** When the attempt is due; null unless it waits for that. */
  readonly dueAt: TimeMs | null;
}

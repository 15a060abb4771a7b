import type { QinlingError } from '../errors.ts';
import type { Call } from '../invoke/call.ts';
import type { ExecutionRecord } from '../store/store.ts';

export interface CallTiming {
  readonly queueMs: number;
  readonly bindMs: number;
  readonly runMs: number;
  readonly storeMs: number;
  readonly isWarm: boolean;
}

/** An accepted execution: final for a synchronous one, with where its time went. */
export interface FinishedCall {
  readonly record: ExecutionRecord;
  readonly timing?: CallTiming;
  /** True where an earlier request with the same key had it begin. */
  readonly isRepeated?: boolean;
}

/** Told once what became of a request, with one of its two arguments. */
export type OnDone = (error: QinlingError | undefined, call: FinishedCall | undefined) => void;

/** Where the time of a call went whose record was just written. */
export function timingOf(call: Call): CallTiming {
  const { acceptedAtMs, sentAtMs, endedAtMs, bindMs, isWarm } = call;
  const waitedMs = sentAtMs === 0 ? endedAtMs - acceptedAtMs : sentAtMs - acceptedAtMs;
  const runMs = sentAtMs === 0 ? 0 : endedAtMs - sentAtMs;
  return { queueMs: Math.max(0, waitedMs - bindMs), bindMs, runMs, storeMs: performance.now() - endedAtMs, isWarm };
}

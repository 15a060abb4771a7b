import type { Attempts, RetryPolicy } from '../store/attempts.ts';
import { ExecutionStatus, type ExecutionRecord, type TimeMs } from '../store/store.ts';

/** Of an execution that is accepted. */
export function firstAttempt(policy: RetryPolicy): Attempts {
  return { number: 1, first: 1, policy, dueAt: null };
}

/** The number of the attempt that a record is in. */
export function attemptNumber({ attempts }: Pick<ExecutionRecord, 'attempts'>): number {
  return attempts?.number ?? 1;
}

/** When the next attempt is due after one that ended at `endedAt`; undefined where that was the last. */
export function nextDueAt(attempts: Attempts | null, status: ExecutionStatus, endedAt: TimeMs): TimeMs | undefined {
  const policy = attempts?.policy;
  if (policy === null || policy === undefined) return undefined;
  if (status !== ExecutionStatus.Failed && status !== ExecutionStatus.Error) return undefined;
  const done = attempts!.number - attempts!.first + 1;
  if (done >= policy.maxAttempts) return undefined;
  const pauseSeconds = policy.backoffSeconds * policy.backoffRate ** (done - 1);
  return endedAt + Math.round(Math.min(pauseSeconds, policy.maxBackoffSeconds) * 1000);
}

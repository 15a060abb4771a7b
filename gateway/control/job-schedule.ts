import { invalidInput } from '../errors.ts';
import { JobStatus, type JobChange, type JobRecord } from '../store/job-store.ts';
import type { TimeMs } from '../store/store.ts';
import { CronPattern } from './cron.ts';

/** When jobs run: the rules, without a store and without a clock. */

/** What callers say must be so far ahead: time enough to take it back. */
const LEAST_AHEAD_MS = 60_000;

/** What a caller gives of a new job's times. */
export interface NewSchedule {
  /** None and the empty text: it runs once. */
  readonly pattern: string | undefined;
  readonly firstExecutionAt: TimeMs | undefined;
  readonly count: number | undefined;
}

export type Schedule = Pick<JobRecord, 'pattern' | 'count' | 'firstExecutionAt' | 'nextExecutionAt'>;

/** Throws INVALID_INPUT. */
export function scheduleNew({ pattern = '', firstExecutionAt, count }: NewSchedule, nowMs: TimeMs): Schedule {
  if (pattern === '' && firstExecutionAt === undefined) {
    throw invalidInput('pattern or first_execution_time must be specified.');
  }
  if (firstExecutionAt !== undefined) refuseTooSoon(firstExecutionAt, nowMs);
  if (pattern === '') {
    if (count !== undefined && count > 1) {
      throw invalidInput('pattern must be provided if count is greater than 1.');
    }
    return { pattern: null, count: 1, firstExecutionAt: firstExecutionAt!, nextExecutionAt: firstExecutionAt! };
  }
  if (count !== undefined && count < 1) throw invalidInput('count must be at least 1 if pattern is provided.');
  // a match in the minute before the first time counts, as in the original
  const firstAt = firstMatch(pattern, firstExecutionAt === undefined ? nowMs : firstExecutionAt - LEAST_AHEAD_MS);
  return { pattern, count: count ?? null, firstExecutionAt: firstAt, nextExecutionAt: firstAt };
}

/** What a caller gives of a change; undefined where it was not given. */
export interface ScheduleChange {
  readonly pattern: string | undefined;
  readonly status: string | undefined;
  readonly nextExecutionAt: TimeMs | undefined;
}

/** Throws INVALID_INPUT. */
export function scheduleChange(job: JobRecord, given: ScheduleChange, nowMs: TimeMs): JobChange {
  const { pattern, nextExecutionAt } = given;
  if (isFinished(job)) throw invalidInput('Can not update a finished job.');
  if (pattern !== undefined && (pattern === '') !== (job.pattern === null)) {
    throw invalidInput('Can not change job type.');
  }
  const status = parseStatus(given.status);
  if (nextExecutionAt !== undefined) refuseTooSoon(nextExecutionAt, nowMs);
  const newPattern = pattern === '' ? undefined : pattern;
  const firstNewAt = newPattern === undefined ? undefined : firstMatch(newPattern, nowMs);
  const isResumed = job.status === JobStatus.Paused && status === JobStatus.Running;
  const nextAt = nextExecutionAt ?? firstNewAt ?? (isResumed ? nextAfterPause(job, nowMs) : undefined);
  return {
    ...(status === undefined ? undefined : { status }),
    ...(newPattern === undefined ? undefined : { pattern: newPattern }),
    ...(nextAt === undefined ? undefined : { nextExecutionAt: nextAt }),
  };
}

/** What a job becomes with the run that is due: times that were missed count as that one run. */
export function afterRun(job: JobRecord, nowMs: TimeMs): JobChange {
  const count = job.count === null ? null : job.count - 1;
  const isLast = job.pattern === null || count === 0;
  const nextAt = isLast ? undefined : new CronPattern(job.pattern!).nextAfter(Math.max(job.nextExecutionAt, nowMs));
  return nextAt === undefined ? { count, status: JobStatus.Done } : { count, nextExecutionAt: nextAt };
}

function isFinished({ status }: JobRecord): boolean {
  return status === JobStatus.Done || status === JobStatus.Cancelled;
}

function parseStatus(text: string | undefined): JobStatus | undefined {
  if (text === undefined) return undefined;
  if (text === JobStatus.Running || text === JobStatus.Paused || text === JobStatus.Cancelled) return text;
  throw invalidInput('Invalid status.');
}

function refuseTooSoon(timeMs: TimeMs, nowMs: TimeMs): void {
  if (timeMs < nowMs + LEAST_AHEAD_MS) {
    throw invalidInput('Execution time must be at least 1 minute in the future.');
  }
}

function nextAfterPause(job: JobRecord, nowMs: TimeMs): TimeMs {
  if (job.pattern !== null) return firstMatch(job.pattern, nowMs);
  refuseTooSoon(job.nextExecutionAt, nowMs);
  return job.nextExecutionAt;
}

function firstMatch(pattern: string, afterMs: TimeMs): TimeMs {
  const timeMs = new CronPattern(pattern).nextAfter(afterMs);
  if (timeMs === undefined) throw invalidInput(`The specified pattern is not valid: ${pattern}`);
  return timeMs;
}

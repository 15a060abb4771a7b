import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterRun, scheduleChange, scheduleNew, type NewSchedule } from '../../../gateway/control/job-schedule.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import { JobStatus } from '../../../gateway/store/job-store.ts';
import { nextMatch } from '../../support/cron-matches.ts';
import { jobRecord } from '../../support/store-records.ts';

const NOW = Date.UTC(2026, 0, 15, 10, 20, 30, 400);
const MINUTE = 60_000;
const NOTHING = { pattern: undefined, firstExecutionAt: undefined, count: undefined };
const UNCHANGED = { pattern: undefined, status: undefined, nextExecutionAt: undefined };
const at = (text: string) => Date.parse(`${text}Z`);
const refusal = (message: string) => (error: QinlingError) => error.httpStatus === 400 && error.message === message;
const TOO_SOON = 'Execution time must be at least 1 minute in the future.';

test('a job with a first time alone runs then, once', () => {
  const firstExecutionAt = NOW + MINUTE;
  for (const count of [undefined, 0, 1]) {
    assert.deepEqual(scheduleNew({ ...NOTHING, firstExecutionAt, count }, NOW), {
      pattern: null,
      count: 1,
      firstExecutionAt,
      nextExecutionAt: firstExecutionAt,
    });
  }
  assert.equal(scheduleNew({ ...NOTHING, pattern: '', firstExecutionAt }, NOW).pattern, null);
});

test('a job with a pattern alone first runs at its next match, and for ever', () => {
  const schedule = scheduleNew({ ...NOTHING, pattern: '*/5 * * * *' }, NOW);

  const first = at('2026-01-15T10:25:00');
  assert.deepEqual(schedule, { pattern: '*/5 * * * *', count: null, firstExecutionAt: first, nextExecutionAt: first });
  assert.equal(scheduleNew({ ...NOTHING, pattern: '* * * * *', count: 3 }, NOW).count, 3);
});

test('with both, the first match from a minute before the first time on is the first run', () => {
  const firstOf = (firstExecutionAt: number) =>
    scheduleNew({ ...NOTHING, pattern: '0 * * * *', firstExecutionAt }, NOW).firstExecutionAt;

  assert.equal(firstOf(at('2026-01-15T12:00:00')), at('2026-01-15T12:00:00'));
  assert.equal(firstOf(at('2026-01-15T12:00:59')), at('2026-01-15T12:00:00'));
  assert.equal(firstOf(at('2026-01-15T12:01:00')), at('2026-01-15T13:00:00'));
});

const BAD: readonly (readonly [what: string, given: Partial<NewSchedule>, message: string])[] = [
  ['nothing', {}, 'pattern or first_execution_time must be specified.'],
  ['an empty pattern', { pattern: '' }, 'pattern or first_execution_time must be specified.'],
  ['a time too soon', { firstExecutionAt: NOW + MINUTE - 1 }, TOO_SOON],
  ['a time that passed', { firstExecutionAt: 0 }, TOO_SOON],
  ['a time too soon with a pattern', { firstExecutionAt: NOW + 1, pattern: '* * * * *' }, TOO_SOON],
  [
    'several runs of one time',
    { firstExecutionAt: NOW + MINUTE, count: 2 },
    'pattern must be provided if count is greater than 1.',
  ],
  ['no run of a pattern', { pattern: '* * * * *', count: 0 }, 'count must be at least 1 if pattern is provided.'],
  ['what is no pattern', { pattern: 'x' }, 'The specified pattern is not valid: x'],
  ['what never matches', { pattern: '0 0 31 2 *' }, 'The specified pattern is not valid: 0 0 31 2 *'],
];
for (const [what, given, message] of BAD) {
  test(`a job with ${what} is refused`, () => {
    assert.throws(() => scheduleNew({ ...NOTHING, ...given }, NOW), refusal(message));
  });
}

test('a finished job takes no change', () => {
  for (const status of [JobStatus.Done, JobStatus.Cancelled]) {
    for (const given of [UNCHANGED, { ...UNCHANGED, status: 'running' }]) {
      assert.throws(() => scheduleChange(jobRecord({ status }), given, NOW), refusal('Can not update a finished job.'));
    }
  }
});

test('a job keeps its type', () => {
  const [once, often] = [jobRecord(), jobRecord({ pattern: '* * * * *' })];
  const change = (job: typeof once, pattern: string) => () => scheduleChange(job, { ...UNCHANGED, pattern }, NOW);

  assert.throws(change(once, '* * * * *'), refusal('Can not change job type.'));
  assert.throws(change(often, ''), refusal('Can not change job type.'));
  assert.throws(change(often, 'x'), refusal('The specified pattern is not valid: x'));
  assert.deepEqual(change(once, '')(), {});
});

test('a status that callers may not set is refused', () => {
  for (const status of ['done', 'RUNNING', '', 'canceled', 'toString']) {
    assert.throws(() => scheduleChange(jobRecord(), { ...UNCHANGED, status }, NOW), refusal('Invalid status.'));
  }
  for (const status of ['paused', 'cancelled', 'running']) {
    assert.deepEqual(scheduleChange(jobRecord(), { ...UNCHANGED, status }, NOW), { status });
  }
});

test('a next time that is given counts for both types, also with a new pattern, and must be a minute ahead', () => {
  for (const job of [jobRecord(), jobRecord({ pattern: '* * * * *' })]) {
    const pattern = job.pattern === null ? undefined : '1 * * * *';
    const nextExecutionAt = NOW + MINUTE;
    const change = scheduleChange(job, { ...UNCHANGED, pattern, nextExecutionAt }, NOW);
    assert.equal(change.nextExecutionAt, nextExecutionAt);
    const soon = { ...UNCHANGED, nextExecutionAt: nextExecutionAt - 1 };
    assert.throws(() => scheduleChange(job, soon, NOW), refusal(TOO_SOON));
  }
});

test('a new pattern sets the next time, also while the job runs', () => {
  for (const status of [JobStatus.Running, JobStatus.Paused]) {
    const job = jobRecord({ pattern: '* * * * *', status });
    const pattern = '0 12 * * *';
    assert.deepEqual(scheduleChange(job, { ...UNCHANGED, pattern }, NOW), {
      pattern,
      nextExecutionAt: at('2026-01-15T12:00:00'),
    });
  }
});

test('a paused job goes on at its next match, or at its one time if that is a minute ahead', () => {
  const often = jobRecord({ pattern: '0 12 * * *', status: JobStatus.Paused, nextExecutionAt: 0 });
  const resume = { ...UNCHANGED, status: 'running' };
  const running = JobStatus.Running;
  const noon = at('2026-01-15T12:00:00');

  assert.deepEqual(scheduleChange(often, resume, NOW), { status: running, nextExecutionAt: noon });
  const changed = scheduleChange(often, { ...resume, pattern: '0 13 * * *' }, NOW);
  assert.equal(changed.nextExecutionAt, at('2026-01-15T13:00:00'));
  const late = jobRecord({ status: JobStatus.Paused, nextExecutionAt: NOW + MINUTE - 1 });
  assert.throws(() => scheduleChange(late, resume, NOW), refusal(TOO_SOON));
  const early = jobRecord({ status: JobStatus.Paused, nextExecutionAt: NOW + MINUTE });
  assert.deepEqual(scheduleChange(early, resume, NOW), { status: running, nextExecutionAt: NOW + MINUTE });
});

test('after its run a job is done, or due at the next match in the future', () => {
  const due = at('2026-01-15T10:20:00');
  const often = jobRecord({ pattern: '* * * * *', count: null, nextExecutionAt: due });

  assert.deepEqual(afterRun(jobRecord(), NOW), { count: 0, status: JobStatus.Done });
  assert.deepEqual(afterRun({ ...often, count: 1 }, NOW), { count: 0, status: JobStatus.Done });
  assert.deepEqual(afterRun({ ...often, count: 2 }, NOW), { count: 1, nextExecutionAt: at('2026-01-15T10:21:00') });
  assert.deepEqual(afterRun(often, NOW), { count: null, nextExecutionAt: at('2026-01-15T10:21:00') });
  const aDayLater = afterRun(often, NOW + 86_400_000); // what was missed is made up for by this one run
  assert.deepEqual(aDayLater, { count: null, nextExecutionAt: at('2026-01-16T10:21:00') });
});

test('a recurring job is due next after its last time and after now, whatever the clock does', () => {
  const patterns = fc.constantFrom('* * * * *', '*/7 3-5 * * *', '0 0 1 * mon', '@hourly', '* * * * * */13');
  const times = fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2030, 0) });
  fc.assert(
    fc.property(patterns, times, times, (pattern, dueMs, nowMs) => {
      const job = jobRecord({ pattern, count: null, nextExecutionAt: dueMs });
      const { nextExecutionAt } = afterRun(job, nowMs);
      const cron = pattern === '@hourly' ? '0 * * * *' : pattern;
      assert.equal(nextExecutionAt, nextMatch(cron, Math.max(dueMs, nowMs), 40));
    }),
  );
});

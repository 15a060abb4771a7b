import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CronPattern } from '../../../gateway/control/cron.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import { nextMatch } from '../../support/cron-matches.ts';

const AFTER_MS = Date.UTC(2026, 0, 15, 10, 20, 30, 400); // a Thursday
const YEARS_DAYS = 366 * 9;

const KNOWN: readonly (readonly [pattern: string, first: string])[] = [
  ['* * * * *', '2026-01-15T10:21:00'],
  ['*/7 * * * *', '2026-01-15T10:21:00'],
  ['5/15 * * * *', '2026-01-15T10:35:00'],
  ['0 12 * JAN-feb MON', '2026-01-19T12:00:00'],
  ['0 0 * * sun', '2026-01-18T00:00:00'],
  ['0 0 * * 7', '2026-01-18T00:00:00'],
  ['0 0 * * mon-sun', '2026-01-16T00:00:00'],
  ['0 0 29 2 *', '2028-02-29T00:00:00'],
  ['0 0 13 * fri', '2026-01-16T00:00:00'], // either
  ['1,2,40-50/5 3 * * *', '2026-01-16T03:01:00'],
  ['* * * * * 31', '2026-01-15T10:20:31'],
  ['20 10 * * * */10', '2026-01-15T10:20:40'],
  ['@hourly', '2026-01-15T11:00:00'],
  ['@daily', '2026-01-16T00:00:00'],
  ['@MIDNIGHT', '2026-01-16T00:00:00'],
  ['@weekly', '2026-01-18T00:00:00'],
  ['@monthly', '2026-02-01T00:00:00'],
  ['@yearly', '2027-01-01T00:00:00'],
  ['@annually', '2027-01-01T00:00:00'],
  ['  0   0\t* * * ', '2026-01-16T00:00:00'],
];
for (const [pattern, first] of KNOWN) {
  test(`'${pattern}' is first due at ${first}`, () => {
    assert.equal(new Date(new CronPattern(pattern).nextAfter(AFTER_MS)!).toISOString(), `${first}.000Z`);
  });
}

test('a match is after the time that is asked about, never at it', () => {
  const pattern = new CronPattern('0 * * * *');
  const eleven = Date.UTC(2026, 0, 15, 11);

  assert.equal(pattern.nextAfter(eleven - 1), eleven);
  assert.equal(pattern.nextAfter(eleven), eleven + 3_600_000);
});

const NO_PATTERNS = [
  '',
  ' ',
  '*',
  '* * * *',
  '* * * * * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '* * 32 * *',
  '* * * 0 *',
  '* * * 13 *',
  '* * * * 8',
  '* * * * * 60',
  '*/0 * * * *',
  '*/61 * * * *',
  '5-1 * * * *',
  '0 0 * * fri-mon',
  '7/2 * * * 7/2',
  '/5 * * * *',
  ', * * * *',
  '1,,2 * * * *',
  '1- * * * *',
  '-1 * * * *',
  '1-2-3 * * * *',
  '1/2/3 * * * *',
  '1.5 * * * *',
  'jan * * * *',
  '* * * sun *',
  '* * * * jan',
  '* * * january *',
  '0 0 L * *',
  '0 0 1W * *',
  '0 0 * * 1#2',
  '0 0 * * 5L',
  '0 0 ? * ?',
  '0 0 1 1 +1',
  'H * * * *',
  '@reboot',
  '@every 5m',
  '@constructor',
  'constructor',
  '* * * * *\0',
  '0 0 1 1 * * 2030',
  '2030-01-01T00:00:00',
];
for (const pattern of NO_PATTERNS) {
  test(`'${pattern}' is no pattern`, () => {
    assert.throws(
      () => new CronPattern(pattern),
      (error: QinlingError) =>
        error.httpStatus === 400 && error.message === `The specified pattern is not valid: ${pattern}`,
    );
  });
}

test('a pattern that no calendar has never matches, and that is found at once', () => {
  for (const pattern of ['0 0 31 2 *', '0 0 30 feb *', '0 0 31 2,4,6,9,11 *', '* * 31 4/7 * *']) {
    assert.equal(new CronPattern(pattern).nextAfter(AFTER_MS), undefined);
  }
  assert.equal(new CronPattern('0 0 1 1 *').nextAfter(Date.UTC(9999, 5)), undefined);
});

/** Field texts of all forms, their values in range. */
function fieldTexts(least: number, most: number, names: readonly string[] = []): fc.Arbitrary<string> {
  const value = fc.integer({ min: least, max: most });
  const shown = (number: number) => (names[number] === undefined ? String(number) : names[number]);
  const step = fc.option(fc.integer({ min: 1, max: Math.max(1, most - least) }), { nil: undefined });
  const single = fc.tuple(value, fc.boolean()).map(([number, isName]) => (isName ? shown(number) : String(number)));
  const range = fc
    .tuple(value, value, step)
    .map(([a, b, by]) => `${Math.min(a, b)}-${Math.max(a, b)}${by === undefined ? '' : `/${by}`}`);
  const steps = fc
    .tuple(fc.constantFrom('*', String(least), String(most - 1)), step)
    .map(([start, by = 2]) => `${start}/${by}`);
  const list = fc.array(fc.oneof(single, range, steps), { minLength: 1, maxLength: 4 }).map((items) => items.join(','));
  return fc.oneof({ arbitrary: fc.constant('*'), weight: 2 }, list);
}

const patterns = fc
  .tuple(
    fieldTexts(0, 59),
    fieldTexts(0, 23),
    fieldTexts(1, 31),
    fieldTexts(1, 12, ['', 'jan', 'FEB', 'Mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']),
    fieldTexts(0, 7, ['sun', 'MON', 'Tue', 'wed', 'thu', 'fri', 'sat', 'sun']),
    fc.option(fieldTexts(0, 59), { nil: undefined }),
  )
  .map((fields) => fields.filter((field) => field !== undefined).join(' '));

const times = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2060, 0) });

test('every pattern is next due when a plain search through the calendar says so', () => {
  fc.assert(
    fc.property(patterns, times, (pattern, afterMs) => {
      assert.equal(new CronPattern(pattern).nextAfter(afterMs), nextMatch(pattern, afterMs, YEARS_DAYS), pattern);
    }),
    { numRuns: 500 },
  );
});

test('any text is a pattern or is refused with 400, and never takes long', () => {
  const marks = fc.array(fc.constantFrom(...'0123456789*/,- LW#?@sunjan\t+.'.split('')), { maxLength: 60 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        marks.map((parts) => parts.join('')),
        patterns,
      ),
      times,
      (text, afterMs) => {
        try {
          const next = new CronPattern(text).nextAfter(afterMs);
          assert.ok(next === undefined || next > afterMs);
        } catch (error) {
          assert.ok(error instanceof QinlingError && error.httpStatus === 400, String(error));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

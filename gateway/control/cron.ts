import { Cron } from 'croner';
import { QinlingError } from '../errors.ts';

/** The door to croner. Its own dialect knows more (L, W, #, years): what we accept is what every cron understands. */

const MAX_SHOWN = 100;

const MACROS: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);

const MONTH = '\\d{1,2}|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec';
const WEEKDAY = '[0-7]|sun|mon|tue|wed|thu|fri|sat';
/** Minute, hour, day, month, weekday, second. */
const FIELDS = [
  { value: '\\d{1,2}', last: 59 },
  { value: '\\d{1,2}', last: 23 },
  { value: '\\d{1,2}', last: 31 },
  { value: MONTH, last: 12 },
  { value: WEEKDAY, last: 6 },
  { value: '\\d{1,2}', last: 59 },
].map(({ value, last }) => {
  const item = `(\\*|(${value})(-(${value}))?)(/\\d{1,2})?`;
  return { syntax: new RegExp(`^${item}(,${item})*$`, 'i'), last };
});
/** `5/15`, which the original took for `5-59/15` and croner does not take. */
const STEPS_WITHOUT_END = /(^|,)([^*,/-]+)\//g;

/**
 * A cron pattern: minute, hour, day, month, weekday, and perhaps second, which is last as in the original; or a macro.
 * Times are UTC. Where day and weekday are both given, either will do.
 */
export class CronPattern {
  readonly #cron: Cron;

  /** Throws INVALID_INPUT for what is no pattern. */
  constructor(text: string) {
    const message = `The specified pattern is not valid: ${text.slice(0, MAX_SHOWN)}`;
    const refuse = (cause?: unknown) => new QinlingError('INVALID_INPUT', message, { cause });
    const trimmed = text.trim();
    const fields = (MACROS.get(trimmed.toLowerCase()) ?? trimmed).split(/\s+/);
    const isPattern =
      (fields.length === 5 || fields.length === 6) && fields.every((field, at) => FIELDS[at]!.syntax.test(field));
    if (!isPattern) throw refuse();
    const [minute, hour, day, month, weekday, second = '0'] = fields.map((field, at) =>
      field.replace(STEPS_WITHOUT_END, `$1$2-${FIELDS[at]!.last}/`),
    );
    try {
      this.#cron = new Cron([second, minute, hour, day, month, weekday].join(' '), {
        mode: '6-part',
        timezone: 'UTC',
        paused: true,
      });
    } catch (cause) {
      throw refuse(cause);
    }
  }

  /** The first match after a time, in milliseconds; undefined where there is none: no month has a day 32. */
  nextAfter(timeMs: number): number | undefined {
    return this.#cron.nextRun(new Date(timeMs))?.getTime();
  }
}

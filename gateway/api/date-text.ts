/**
 * Points in time as people and programs write them. Every form names year, month and day beyond doubt and is read to
 * its end; what would have to be guessed (a bare year, 01/02/2030, names of time zones) is none. Without an offset it is
 * UTC.
 */

const CLOCK = '(?<hour>\\d{1,2}):(?<minute>\\d{2})(:(?<second>\\d{2})([.,](?<fraction>\\d{1,9}))?)?';
const ZONE = '(?<zone>Z|UTC|GMT|[+-]\\d{2}(:?\\d{2})?)';
const MONTH = '(?<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)';
const WEEKDAY = '(mon|tue|wed|thu|fri|sat|sun)';

const FORMS: readonly RegExp[] = [
  // 2030-01-01, 2030-01-01 10:00, 2030-01-01T10:00:00.123456+02:00, 2030/01/01 10:00:00 UTC: ISO 8601 and its kin
  `(?<year>\\d{4})(?<mark>[-/])(?<month>\\d{2})\\k<mark>(?<day>\\d{2})((T| +)${CLOCK}( *${ZONE})?)?`,
  // 20300101T100000Z: ISO 8601, basic
  `(?<year>\\d{4})(?<month>\\d{2})(?<day>\\d{2})T(?<hour>\\d{2})(?<minute>\\d{2})((?<second>\\d{2})([.,](?<fraction>\\d{1,9}))?)?${ZONE}?`,
  // Tue, 01 Jan 2030 10:00:00 +0200: mail and HTTP
  `(${WEEKDAY}, *)?(?<day>\\d{1,2})[ -]${MONTH}[ -](?<year>\\d{4}) +${CLOCK}( +${ZONE})?`,
  // Tue Jan  1 10:00:00 UTC 2030: date(1) and ctime(3)
  `${WEEKDAY} +${MONTH} +(?<day>\\d{1,2}) +${CLOCK}( +${ZONE})? +(?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`, 'i'));

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MAX_LENGTH = 100;
const MINUTE_MS = 60_000;

/** Milliseconds since 1970 UTC; undefined for a text that is no time, also where day or hour do not exist. */
export function parseDateText(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH) return undefined;
  for (const form of FORMS) {
    const groups = form.exec(trimmed)?.groups;
    if (groups !== undefined) return toTime(groups);
  }
  return undefined;
}

type Groups = Readonly<Record<string, string | undefined>>;

function toTime(groups: Groups): number | undefined {
  const { name, fraction = '' } = groups;
  const number = (group: string) => Number(groups[group] ?? 0);
  const month = name === undefined ? number('month') : MONTHS.indexOf(name.toLowerCase()) + 1;
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const [year, day, hour, minute, second] = ['year', 'day', 'hour', 'minute', 'second'].map(number) as number[];
  const date = new Date(0);
  date.setUTCFullYear(year!, month - 1, day);
  date.setUTCHours(hour!, minute, second, milliseconds);
  const isSame =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second; // a day 31 of a month of 30 would be another day
  const offsetMinutes = parseZone(groups['zone'] ?? 'Z');
  return isSame && offsetMinutes !== undefined ? date.getTime() - offsetMinutes * MINUTE_MS : undefined;
}

/** Minutes that the zone's clocks are before UTC; undefined for an offset that does not exist. */
function parseZone(zone: string): number | undefined {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  const offset = Number(hours) * 60 + Number(minutes);
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return sign === '-' ? -offset : offset;
}

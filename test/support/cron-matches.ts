/**
 * Cron without cleverness, to hold the real one against: every field becomes the set of its values, and every day, hour,
 * minute and second is looked at.
 */
const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
  [0, 59],
] as const;
const NAMES = ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function numberOf(text: string, field: number): number {
  const names = field === 3 ? NAMES : field === 4 ? DAYS : [];
  const found = names.indexOf(text.toLowerCase());
  return found < 0 ? Number(text) : found;
}

function valuesOf(text: string, field: number): Set<number> {
  const [least, most] = RANGES[field]!;
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const [range = '', step] = item.split('/');
    const [start = '', end] = range.split('-');
    const first = start === '*' ? least : numberOf(start, field);
    const atMost = field === 4 ? 6 : most;
    const last = start === '*' || (end === undefined && step !== undefined) ? atMost : numberOf(end ?? start, field);
    for (let value = first; value <= last; value += Number(step ?? 1)) values.add(field === 4 ? value % 7 : value);
  }
  return values;
}

/** The first match after a time, within so many days; undefined where there is none. */
export function nextMatch(pattern: string, afterMs: number, days: number): number | undefined {
  const texts = pattern.trim().split(/\s+/);
  const [minutes, hours, monthDays, months, weekdays, seconds] = RANGES.map((_, at) => valuesOf(texts[at] ?? '0', at));
  const isEither = texts[2] !== '*' && texts[4] !== '*';
  const start = new Date(afterMs);
  for (let day = 0; day <= days; day++) {
    const dayMs = Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate() + day);
    const date = new Date(dayMs);
    if (!months!.has(date.getUTCMonth() + 1)) continue;
    const isMonthDay = monthDays!.has(date.getUTCDate());
    const isWeekday = weekdays!.has(date.getUTCDay());
    if (isEither ? !isMonthDay && !isWeekday : !isMonthDay || !isWeekday) continue;
    for (let hour = 0; hour < 24; hour++) {
      if (!hours!.has(hour)) continue;
      for (let minute = 0; minute < 60; minute++) {
        if (!minutes!.has(minute)) continue;
        for (let second = 0; second < 60; second++) {
          const timeMs = dayMs + ((hour * 60 + minute) * 60 + second) * 1000;
          if (seconds!.has(second) && timeMs > afterMs) return timeMs;
        }
      }
    }
  }
  return undefined;
}

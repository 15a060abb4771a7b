import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDateText } from '../../../gateway/api/date-text.ts';

const KNOWN: readonly (readonly [text: string, time: string])[] = [
  ['2030-01-01', '2030-01-01T00:00:00.000Z'],
  ['2030-01-01 00:00:00', '2030-01-01T00:00:00.000Z'],
  ['2026-11-22 22:00:50.123456', '2026-11-22T22:00:50.123Z'],
  ['2026-11-22 22:00:50,5', '2026-11-22T22:00:50.500Z'],
  ['2030-01-01T00:00:00Z', '2030-01-01T00:00:00.000Z'],
  ['2030-01-01t10:00z', '2030-01-01T10:00:00.000Z'],
  ['2030-01-01T10:00:00+02:00', '2030-01-01T08:00:00.000Z'],
  ['2030-01-01T10:00:00-0530', '2030-01-01T15:30:00.000Z'],
  ['2030-01-01 01:00:00 +02', '2029-12-31T23:00:00.000Z'],
  ['2030-01-01 9:05', '2030-01-01T09:05:00.000Z'],
  ['2030-01-01 10:00:00 UTC', '2030-01-01T10:00:00.000Z'],
  ['2030/01/31 10:00', '2030-01-31T10:00:00.000Z'],
  ['20300101T100000Z', '2030-01-01T10:00:00.000Z'],
  ['20300101T1000+0100', '2030-01-01T09:00:00.000Z'],
  ['Tue, 01 Jan 2030 10:00:00 GMT', '2030-01-01T10:00:00.000Z'],
  ['1 jan 2030 10:00:00 -0200', '2030-01-01T12:00:00.000Z'],
  ['Tue Jan  1 10:00:00 UTC 2030', '2030-01-01T10:00:00.000Z'],
  ['Tue Jan  1 10:00:00 2030', '2030-01-01T10:00:00.000Z'],
  ['  2028-02-29 00:00:00\n', '2028-02-29T00:00:00.000Z'],
  ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z'],
  ['0001-01-01 00:00', '0001-01-01T00:00:00.000Z'],
];
for (const [text, time] of KNOWN) {
  test(`'${text.trim()}' is ${time}`, () => {
    assert.equal(new Date(parseDateText(text)!).toISOString(), time);
  });
}

const NO_TIMES = [
  '',
  'now',
  'tomorrow',
  '2030',
  '2030-01',
  '10:00',
  '1893456000',
  '01/02/2030',
  '01-02-2030 10:00',
  '2030-1-1',
  '2030-01/01',
  '2030-13-01',
  '2030-00-01',
  '2030-01-00',
  '2030-02-29',
  '2030-04-31 10:00',
  '2030-01-01 24:00',
  '2030-01-01 10:60',
  '2030-01-01 10:00:60',
  '2030-01-01 10',
  '2030-01-01 10:00 EST',
  '2030-01-01 10:00+2',
  '2030-01-01T10:00+24:00',
  '2030-01-01T10:00+02:60',
  '2030-01-01T10:00:00Zulu',
  '2030-01-01T10:00:00Z2030-01-01T10:00:00Z',
  '12030-01-01T10:00:00Z',
  '-2030-01-01T10:00:00Z',
  'Jan 2030',
  '2030-W01-1',
  '2030-001',
  '２０３０-01-01',
  `2030-01-01${' '.repeat(200)}10:00`,
];
for (const text of NO_TIMES) {
  test(`'${text.slice(0, 40)}' is no time`, () => assert.equal(parseDateText(text), undefined));
}

const moments = fc
  .date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));
const two = (value: number) => String(value).padStart(2, '0');

test('every moment is read back from each way to write it, at any offset', () => {
  fc.assert(
    fc.property(moments, fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 }), (moment, offset) => {
      const expected = moment.getTime();
      const zone = `${offset < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
      const local = new Date(expected + offset * 60_000);
      if (local.getUTCFullYear() < 1970 || local.getUTCFullYear() > 9999) return;
      const iso = moment.toISOString();
      const text = local.toISOString().slice(0, 19);
      const [weekday, day, month, year, clock] = moment.toUTCString().split(/,? /) as string[];
      for (const form of [
        iso,
        `${text}${zone}`,
        `${text.replace('T', ' ')} ${zone.replace(':', '')}`,
        `${text.replace(/[-:]/g, '')}${zone}`,
        iso.slice(0, 19).replace('T', ' '),
        moment.toUTCString(),
        `${weekday} ${month} ${Number(day)} ${clock} ${year}`,
      ]) {
        assert.equal(parseDateText(form), expected, form);
      }
    }),
    { numRuns: 500 },
  );
});

test('any text is a time or is none', () => {
  const marks = fc
    .array(fc.constantFrom('2030', '01', '31', '02', '-', '/', 'T', ' ', ':', '10', '.5', 'Z', '+', 'Jan', 'Tue'), {
      maxLength: 20,
    })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.string(), marks), (text) => {
      const time = parseDateText(text);
      assert.ok(time === undefined || Number.isSafeInteger(time), text);
    }),
    { numRuns: 2_000 },
  );
});

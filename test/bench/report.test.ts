import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderReport } from '../../bench/report.ts';
import { readLastResults, type Result } from '../../bench/results.ts';
import { barChart, lineChart } from '../../bench/svg.ts';

test('a page has every number of a result, and nothing from elsewhere', () => {
  const page = renderReport([result()]);

  for (const text of [
    'what is asked',
    '1234 (1000–2000)',
    'one &lt;of&gt; them',
    'was left out',
    'Goals: 1 of 2 met',
  ]) {
    assert.ok(page.includes(text), text);
  }
  assert.equal(page.match(/<svg/g)?.length, 2); // the drawn column, and the series
  assert.doesNotMatch(page, /(src|href)="(?!#)/);
  assert.doesNotMatch(page, /<script|@import|url\(/);
});

test('a short run says so, and meets no goals', () => {
  assert.match(renderReport([result({ isShort: true })]), /no numbers to publish/);
  assert.doesNotMatch(renderReport([result({ isShort: true })]), /Goals:/);
  assert.doesNotMatch(renderReport([result()]), /no numbers to publish/);
});

test('bars are as long as their values, with whiskers where there is a spread', () => {
  const bar = (value: number, max: number) => ({ label: 'a', value, min: value, max, text: String(value) });
  const widths = (svg: string) => [...svg.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));

  const [long, short] = widths(barChart([bar(10, 10), bar(5, 5)])!);
  assert.ok(Math.abs(long! - short! * 2) <= 0.2);
  assert.doesNotMatch(barChart([bar(10, 10)])!, /whisker/);
  assert.match(barChart([bar(10, 12)])!, /whisker/);
});

test('what cannot be drawn is left out', () => {
  assert.equal(barChart([]), undefined);
  assert.equal(barChart([{ label: 'a', value: 0, min: 0, max: 0, text: '0' }]), undefined);
  assert.equal(lineChart([[0, 1]], 'MiB'), undefined);
});

test('a line goes from the first to the last point, above zero', () => {
  const svg = lineChart(
    [
      [0, 0],
      [30, 50],
      [60, 100],
    ],
    'MiB',
  )!;

  const [, path = ''] = /class="line" d="([^"]+)"/.exec(svg) ?? [];
  const ys = [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, , y]) => Number(y));
  assert.equal(ys.length, 3);
  assert.ok(ys[0]! > ys[1]! && ys[1]! > ys[2]!); // y grows downwards
  assert.match(svg, /MiB over 60 s/);
});

test('the last result of a question is shown: one in full before a short one', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-results-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const of = (question: string, date: string, isShort: boolean) => {
    const { machine } = result();
    write(`${question}-${date}.json`, JSON.stringify(result({ question, isShort, machine: { ...machine, date } })));
  };
  of('one', '2026-01-01', false);
  of('one', '2026-01-02', false);
  of('one', '2026-01-03', true);
  of('two', '2026-01-04', true);
  of('gone', '2026-01-05', false);
  write('old.json', '{"question":"one","result":{}}'); // of an earlier form
  write('notes.txt', 'no result');

  const last = readLastResults(['two', 'one', 'three'], folder);

  assert.deepEqual(
    last.map(({ question, machine: { date } }) => [question, date]),
    [
      ['two', '2026-01-04'],
      ['one', '2026-01-02'],
    ],
  );
});

function result(change: Partial<Result> = {}): Result {
  return {
    question: 'what',
    isShort: false,
    machine: { cpu: 'a processor', cpuCount: 2, node: '20.0.0', commit: 'abc', load: '0.10', date: '2026-01-01' },
    seconds: 12,
    tables: [
      {
        title: 'what is asked',
        columns: [
          { name: 'calls/s', digits: 0, isDrawn: true },
          { name: 'ms', digits: 2 },
        ],
        rows: [
          { name: 'one <of> them', cells: [{ median: 1234, min: 1000, max: 2000 }, 1.5] },
          { name: 'another', cells: [100, null] },
        ],
      },
    ],
    series: [
      {
        title: 'memory',
        unit: 'MiB',
        points: [
          [0, 100],
          [10, 110],
        ],
      },
    ],
    goals: [
      { name: 'fast', value: 2, digits: 1, bound: 1, is: 'at least' },
      { name: 'small', value: 2, digits: 1, bound: 1, is: 'at most' },
    ],
    remarks: ['a peer was left out'],
    details: {},
    ...change,
  };
}

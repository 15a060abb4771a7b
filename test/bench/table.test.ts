import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGoal, formatTable, isMet, type Goal } from '../../bench/table.ts';

test('a table is Markdown with its columns in line', () => {
  const columns = [
    { name: 'calls/s', digits: 0 },
    { name: 'ms', digits: 2 },
  ];
  const rows = [
    { name: 'one', cells: [1234.5, { median: 1, min: 0.5, max: 2 }] },
    { name: 'another', cells: ['failed'] },
  ];

  assert.equal(
    formatTable({ title: 'A title', columns, rows }),
    [
      'A title',
      '',
      '|         | calls/s |               ms |',
      '| ------- | ------: | ---------------: |',
      '| one     |    1235 | 1.00 (0.50–2.00) |',
      '| another |  failed |                  |',
      '',
    ].join('\n'),
  );
});

test('a goal is met at its bound, and not beyond it', () => {
  const goal = (is: Goal['is'], value: number): Goal => ({ name: 'ms', value, digits: 1, bound: 8, is });

  assert.deepEqual(
    [7.9, 8, 8.1].map((value) => isMet(goal('at most', value))),
    [true, true, false],
  );
  assert.deepEqual(
    [7.9, 8, 8.1].map((value) => isMet(goal('at least', value))),
    [false, true, true],
  );
  assert.equal(formatGoal(goal('at most', 8.1)), 'MISSED: ms: 8.1, goal at most 8');
  assert.equal(formatGoal(goal('at least', 8.1)), 'met: ms: 8.1, goal at least 8');
});

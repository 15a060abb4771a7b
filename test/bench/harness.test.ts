import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alternate, formatSpread, percentile, spreadOf } from '../../bench/harness.ts';

test('subjects are warmed up and then measured in turn', async () => {
  const calls: string[] = [];
  const subjects = ['a', 'b'].map((name) => ({
    name,
    measure: (durationSeconds: number) => Promise.resolve(calls.push(`${name}${durationSeconds}`)),
  }));

  const rounds = await alternate(subjects, { warmUpSeconds: 1, rounds: 2, roundSeconds: 3 });

  assert.deepEqual(calls, ['a1', 'b1', 'a3', 'b3', 'a3', 'b3']);
  assert.deepEqual(rounds, [
    [3, 5],
    [4, 6],
  ]);
});

test('a percentile is a measured value that this share does not exceed', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);

  assert.deepEqual([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)], [50, 99, 100]);
  assert.equal(percentile([7], 0.01), 7);
});

test('a spread has the middle and the ends', () => {
  assert.deepEqual(spreadOf([3, 1, 10]), { median: 3, min: 1, max: 10 });
  assert.deepEqual(spreadOf([4, 1, 2, 10]), { median: 3, min: 1, max: 10 });
  assert.equal(formatSpread({ median: 3, min: 1, max: 10 }, 1), '3.0 (1.0–10.0)');
});

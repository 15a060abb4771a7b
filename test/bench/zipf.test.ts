import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Zipf, seededRandom, shuffle } from '../../bench/zipf.ts';

test('a rank is drawn as often as the law says', () => {
  const [count, draws] = [10, 200_000];
  const zipf = new Zipf(count, 1, seededRandom(1));
  const drawn = Array.from({ length: count }, () => 0);
  for (let draw = 0; draw < draws; draw++) drawn[zipf.next()]!++;

  const all = Array.from({ length: count }, (_, rank) => 1 / (rank + 1)).reduce((sum, share) => sum + share);
  for (const [rank, times] of drawn.entries()) {
    const expected = draws / (rank + 1) / all;
    assert.ok(Math.abs(times - expected) < expected * 0.05, `rank ${rank}: ${times} times, expected ${expected}`);
  }
});

test('the edges of chance lead to the first and the last rank', () => {
  assert.equal(new Zipf(100, 1, () => 0).next(), 0);
  assert.equal(new Zipf(100, 1, () => 1 - 2 ** -32).next(), 99);
  assert.equal(new Zipf(1, 1, () => 0.5).next(), 0);
});

test('the same seed gives the same numbers, all between 0 and 1', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [one, other] = [seededRandom(seed), seededRandom(seed)];
      for (let count = 0; count < 100; count++) {
        const value = one();
        assert.equal(value, other());
        assert.ok(value >= 0 && value < 1);
      }
    }),
  );
});

test('a shuffle keeps every value, and puts each anywhere', () => {
  const values = Array.from({ length: 8 }, (_, index) => index);
  const random = seededRandom(7);
  const seen = values.map(() => new Set<number>());

  for (let round = 0; round < 500; round++) {
    const shuffled = shuffle(values, random);
    assert.deepEqual(
      shuffled.toSorted((a, b) => a - b),
      values,
    );
    for (const [place, value] of shuffled.entries()) seen[place]!.add(value);
  }

  assert.deepEqual(
    seen.map(({ size }) => size),
    Array.from(values, () => values.length),
  );
});

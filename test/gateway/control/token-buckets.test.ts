import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBuckets } from '../../../gateway/control/token-buckets.ts';

test('a burst is taken at once, and then a call each interval', () => {
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3 });

  assert.deepEqual(
    [0, 0, 0].map((nowMs) => buckets.take('a', nowMs)),
    [0, 0, 0],
  );
  assert.equal(buckets.take('a', 0), 500);
  assert.equal(buckets.take('a', 400), 100);
  assert.equal(buckets.take('a', 500), 0);
  assert.equal(buckets.take('a', 500), 500);
  assert.deepEqual(
    [0, 0, 0].map(() => buckets.take('a', 60_000)),
    [0, 0, 0],
  ); // full again, and no fuller
  assert.equal(buckets.take('a', 60_000), 500);
});

test('each key has a bucket of its own', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 });

  assert.deepEqual([buckets.take('a', 0), buckets.take('b', 0)], [0, 0]);
  assert.deepEqual([buckets.take('a', 0), buckets.take('b', 0)], [1_000, 1_000]);
});

test('a rate of 0 is no limit, and keeps nothing', () => {
  const buckets = new TokenBuckets({ perSecond: 0, burst: 1 });

  for (let call = 0; call < 1_000; call++) assert.equal(buckets.take('a', 0), 0);
  assert.equal(buckets.size, 0);
});

test('memory is bounded, whatever keys come', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 });

  for (let key = 0; key < 50_000; key++) buckets.take(String(key), 0);

  assert.ok(buckets.size <= 10_000);
  assert.ok(buckets.take('49999', 0) > 0, 'the youngest are known');
});

test('calls get through as by a bucket that is filled drop by drop', () => {
  const calls = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 200 });
  const rates = fc.record({ perSecond: fc.constantFrom(1, 2, 5, 10, 50), burst: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(rates, calls, ({ perSecond, burst }, gapsMs) => {
      const buckets = new TokenBuckets({ perSecond, burst });
      const intervalMs = 1_000 / perSecond; // whole for these rates: the drops are exact
      let [nowMs, drops] = [0, burst * intervalMs];
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        drops = Math.min(burst * intervalMs, drops + gapMs);
        const waitMs = buckets.take('a', nowMs);
        assert.equal(waitMs, Math.max(0, intervalMs - drops));
        if (waitMs === 0) drops -= intervalMs;
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowthCheck } from '../../../gateway/invoke/growth-check.ts';

const TICK_MS = 20;

/** Asks on every tick for a while, as so many calls end a second with each number of workers; how many workers there are then. */
function grow(check: GrowthCheck, rateOf: (workers: number) => number, forMs: number, from = { workers: 1, nowMs: 1 }) {
  let { workers, nowMs } = from;
  let ended = 0;
  for (const endMs = nowMs + forMs; nowMs < endMs; nowMs += TICK_MS) {
    for (ended += (rateOf(workers) * TICK_MS) / 1000; ended >= 1; ended--) check.ended();
    if (check.mayGrow(workers, nowMs)) workers++;
  }
  return { workers, nowMs };
}

test('workers are added as long as each makes more calls end', () => {
  const { workers } = grow(new GrowthCheck(), (count) => count * 300, 10_000);
  assert.ok(workers >= 8, String(workers)); // the ninth of nine raises the rate by an eighth
});

test('a worker that makes no more calls end is the last one for a while', () => {
  const check = new GrowthCheck();
  const onTwoProcessors = (count: number) => Math.min(count, 2) * 10_000;
  const after = grow(check, onTwoProcessors, 5_000);
  assert.equal(after.workers, 3);
  assert.equal(grow(check, onTwoProcessors, 10_000, after).workers, 4, 'it is tried again now and then');
});

test('where nothing ends at all, a worker is added', () => {
  assert.ok(grow(new GrowthCheck(), () => 0, 2_000).workers > 4);
});

test('a line that was empty meanwhile is a new one', () => {
  const check = new GrowthCheck();
  const held = grow(check, () => 1_000, 2_000);
  check.reset();
  assert.equal(grow(check, () => 10, 500, held).workers, held.workers + 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseLimit } from '../../../gateway/control/function-limits.ts';
import { LIMITS } from '../../support/functions-rig.ts';

test('whole numbers are taken as numbers and as decimal text', () => {
  for (const given of [250, '250', ' 250 ', '+250', '0250']) assert.equal(parseLimit('cpu', given, LIMITS), 250);
});

test('everything else is no number', () => {
  const others = [1.5, '1.5', NaN, Infinity, '1e2', '0x10', '', ' ', 'a', true, null, [], [1], {}, '9'.repeat(400)];
  for (const given of others) {
    assert.throws(() => parseLimit('cpu', given, LIMITS), {
      code: 'INVALID_INPUT',
      message: 'Invalid cpu resource specified. An integer is required.',
    });
  }
});

test('what is taken lies in the range', () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer(), fc.integer().map(String), fc.anything()), (given) => {
      let value: number;
      try {
        value = parseLimit('timeout', given, LIMITS);
      } catch (error) {
        return (error as { code?: unknown }).code === 'INVALID_INPUT';
      }
      return value >= 1 && value <= 300 && Number.isInteger(value);
    }),
  );
});

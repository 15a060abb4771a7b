import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ExecutionIds,
  GATEWAY_NUMBERS,
  executionId,
  executionKey,
  executionTail,
  firstKeyAt,
} from '../../gateway/execution-id.ts';

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NOW = Date.UTC(2026, 0, 15);
const numbers = fc.integer({ min: 0, max: GATEWAY_NUMBERS - 1 });

test('ids are UUIDs of version 7 that rise strictly, whatever the clock does', () => {
  const steps = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 500 });
  fc.assert(
    fc.property(numbers, steps, (number, stepsMs) => {
      const ids = new ExecutionIds(number);
      let [nowMs, last] = [NOW, ''];
      for (const stepMs of stepsMs) {
        const id = ids.next((nowMs += stepMs));
        assert.match(id, UUID7);
        assert.ok(id > last && (last === '' || executionKey(id) > executionKey(last)));
        assert.equal(executionId(executionKey(id), executionTail(id)), id);
        assert.ok(executionKey(id) >= firstKeyAt(nowMs));
        last = id;
      }
    }),
  );
});

test('gateways of different numbers never make the same key, also where they make many in one millisecond', () => {
  const keys = new Set<number>();
  for (let number = 0; number < GATEWAY_NUMBERS; number++) {
    const ids = new ExecutionIds(number);
    for (let count = 0; count < 300; count++) keys.add(executionKey(ids.next(NOW)));
  }

  assert.equal(keys.size, GATEWAY_NUMBERS * 300);
});

test('ids rise on when the gateway gets another number', () => {
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 20 }), (changes) => {
      const ids = new ExecutionIds(3);
      let last = ids.next(NOW);
      for (const number of changes) {
        ids.gatewayNumber = number;
        for (let count = 0; count < 3; count++) {
          const id = ids.next(NOW);
          assert.ok(executionKey(id) > executionKey(last));
          assert.equal(executionKey(id) % GATEWAY_NUMBERS, number);
          last = id;
        }
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UploadMemory } from '../../../gateway/http/upload-memory.ts';

test('memory is given until there is none, and again when it came back', () => {
  const memory = new UploadMemory(100);

  assert.deepEqual(
    [memory.tryTake(60), memory.tryTake(41), memory.tryTake(40), memory.tryTake(1)],
    [true, false, true, false],
  );
  memory.giveBack(40);
  assert.deepEqual([memory.tryTake(41), memory.tryTake(40)], [false, true]);
});

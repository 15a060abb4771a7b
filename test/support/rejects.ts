import assert from 'node:assert/strict';
import { QinlingError } from '../../gateway/errors.ts';

/** The promise rejects with an error of that code and text. */
export function rejects(promise: Promise<unknown>, code: string, message: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof QinlingError, String(error));
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  });
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NO_SLOT, PendingTable, type PendingCall } from '../../../gateway/link/pending-table.ts';

function call(executionId: string, expiresAtMs = 100): PendingCall {
  return { executionId, expiresAtMs, onResult() {}, onNotReceived() {}, onLost() {} };
}

describe('pending table', () => {
  test('a slot is taken until its result is recorded and acknowledged', () => {
    const table = new PendingTable(1);
    const first = call('a');
    assert.equal(table.take(first), 0);
    assert.equal(table.take(call('b')), NO_SLOT);
    assert.equal(table.finish(0), first);
    assert.equal(table.finish(0), undefined);
    assert.equal(table.isEnded(0), true);
    table.release(0);
    assert.equal(table.take(call('b')), NO_SLOT, 'not recorded yet');
    table.setRecorded(0);
    table.release(0);
    assert.equal(table.take(call('b')), 0);
  });

  test('calls that a returning agent does not hold were never received', () => {
    const table = new PendingTable(8);
    const [a, b] = [call('a'), call('b')];
    table.take(a);
    table.take(b);
    const notReceived = table.reconcile([[1, 'b']], () => assert.fail('nothing to adopt'));
    assert.deepEqual(notReceived, [a]);
    assert.equal(table.pendingCount, 1);
    assert.equal(table.finish(1), b);
  });

  test('calls that only the agent knows are adopted under their slots', () => {
    const table = new PendingTable(8);
    const adopted = call('old');
    table.reconcile([[3, 'old']], (executionId) => {
      assert.equal(executionId, 'old');
      return adopted;
    });
    const taken = [0, 1, 2, 3].map((n) => table.take(call(`new ${n}`)));
    assert.equal(new Set([...taken, 3]).size, 5, 'slot 3 is not given out again');
    assert.equal(table.finish(3), adopted);
  });

  test('a slot that the agent holds for an older call goes to that one', () => {
    const table = new PendingTable(8);
    const newer = call('newer');
    const older = call('older');
    assert.equal(table.take(newer), 0);
    assert.deepEqual(
      table.reconcile([[0, 'older']], () => older),
      [newer],
    );
    assert.equal(table.finish(0), older);
  });

  test('calls whose time is over are taken out, and a late result for them is no pending call', () => {
    const table = new PendingTable(8);
    const [late, early] = [call('late', 10), call('early', 1_000)];
    const slot = table.take(late);
    table.take(early);
    assert.deepEqual(table.takeExpired(11), [late]);
    assert.equal(table.finish(slot), undefined);
    assert.equal(table.isEnded(slot), false);
    assert.equal(table.pendingCount, 1);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndWatch } from '../../../gateway/control/end-watch.ts';
import { LeftExecutions } from '../../../gateway/control/left-executions.ts';
import { Settlement } from '../../../gateway/control/settlement.ts';
import type { Link } from '../../../gateway/link/link.ts';
import { ExecutionStatus, type Store } from '../../../gateway/store/store.ts';
import { executionRecord, finalRecord } from '../../support/store-records.ts';
import { openSharedStores } from '../../support/throw-away-store.ts';

const NO_LINK = {} as Link;
const unstarted = () => executionRecord({ isSync: false, isStarted: false });

test('at its start a gateway settles what it had started itself, and nothing of those that live', async (t) => {
  const open = openSharedStores(t);
  const [own, other] = [await open('own'), await open('other')];
  const [mine, waiting, theirs, done] = [executionRecord(), unstarted(), executionRecord(), finalRecord()];
  for (const record of [mine, waiting, done]) await own.executions.insert(record, null);
  await other.executions.insert(theirs, null);

  await leftOf(own).start();

  assert.deepEqual(await statuses(own, [mine, waiting, theirs, done]), [
    ExecutionStatus.Error,
    ExecutionStatus.Running,
    ExecutionStatus.Running,
    ExecutionStatus.Success,
  ]);
  const { output } = (await own.executions.get(mine.id, null))!;
  assert.equal(output, '"Function execution failed."');
});

test('what a gateway that is gone had started ends in error, what it had not waits on', async (t) => {
  const open = openSharedStores(t);
  const [own, gone] = [await open('own'), await open('gone')];
  const started = Array.from({ length: 700 }, () => executionRecord()); // more than a batch
  const waiting = unstarted();
  await Promise.all([waiting, ...started].map((record) => gone.executions.insert(record, null)));
  const left = leftOf(own);

  assert.equal(await left.takeOver('gone'), true);

  assert.deepEqual(new Set(await statuses(own, started)), new Set([ExecutionStatus.Error]));
  assert.deepEqual(await statuses(own, [waiting]), [ExecutionStatus.Running]);
  assert.deepEqual(await own.executions.listUnstarted('a-function', undefined, 9), [waiting]);
  assert.equal(await left.takeOver('gone'), false);
});

test('what an agent brings back within the time of grace is not settled as lost', async (t) => {
  const open = openSharedStores(t);
  const [own, gone] = [await open('own'), await open('gone')];
  const [lost, brought] = [executionRecord(), executionRecord()];
  for (const record of [lost, brought]) await gone.executions.insert(record, null);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const left = leftOf(own, 5_000);

  await left.takeOver('gone');
  left.adoptCall(brought.id, NO_LINK);
  t.mock.timers.tick(4_999);
  assert.deepEqual(await statuses(own, [lost, brought]), [ExecutionStatus.Running, ExecutionStatus.Running]);
  t.mock.timers.tick(1);

  assert.deepEqual(await statuses(own, [lost, brought]), [ExecutionStatus.Error, ExecutionStatus.Running]);
});

function leftOf({ executions }: Store, returnGraceMs = 0): LeftExecutions {
  const onFault = (cause: unknown) => assert.fail(String(cause));
  const settlement = new Settlement(executions, new EndWatch(executions, onFault), () => undefined);
  return new LeftExecutions(executions, settlement, { returnGraceMs, onFault });
}

async function statuses({ executions }: Store, records: readonly { id: string }[]): Promise<(string | undefined)[]> {
  return Promise.all(records.map(async ({ id }) => (await executions.get(id, null))?.status));
}

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RunNames } from '../../../gateway/control/run-names.ts';
import { Turns } from '../../../gateway/control/turns.ts';
import { Webhooks } from '../../../gateway/control/webhooks.ts';
import type { QinlingError } from '../../../gateway/errors.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { FakeExecutions } from '../../support/fake-executions.ts';
import { functionRecord } from '../../support/store-records.ts';
import { openThrowAwayStore } from '../../support/throw-away-store.ts';

const NOTHING = { functionId: undefined, functionVersion: undefined, functionAlias: undefined, description: undefined };
const notFound = (what: string) => (error: QinlingError) => error.httpStatus === 404 && error.message.startsWith(what);

test('nobody, not even an administrator, opens the function of another project', async (t) => {
  const { webhooks, functionId } = await open(t);
  const request = { ...NOTHING, functionId };

  for (const access of [accessOf('theirs'), adminOf('theirs')]) {
    await assert.rejects(webhooks.create(access, request), notFound('Function not found'));
  }
  assert.equal((await webhooks.create(adminOf('mine'), request)).projectId, 'mine');
});

test('administrators of other projects may look at a webhook and delete it, but not change it', async (t) => {
  const { webhooks, functionId } = await open(t);
  const record = await webhooks.create(accessOf('mine'), { ...NOTHING, functionId });
  const [admin, theirs] = [adminOf('theirs'), accessOf('theirs')];
  const change = { ...NOTHING, description: 'x' };

  assert.deepEqual(await webhooks.get(admin, record.id), record);
  await assert.rejects(webhooks.update(admin, record.id, change), notFound('Webhook not found'));
  await assert.rejects(webhooks.update(theirs, record.id, change), notFound('Webhook not found'));
  await assert.rejects(webhooks.get(theirs, record.id), notFound('Webhook not found'));
  await assert.rejects(webhooks.delete(theirs, record.id), notFound('Webhook not found'));
  assert.equal((await webhooks.update(accessOf('mine'), record.id, change)).description, 'x');
  await webhooks.delete(admin, record.id);
  await assert.rejects(webhooks.get(admin, record.id), notFound('Webhook not found'));
});

test('a call runs in the project of the function', async (t) => {
  const { webhooks, executions, functionId } = await open(t);
  const record = await webhooks.create(accessOf('mine'), { ...NOTHING, functionId });

  const executionId = await webhooks.invoke(record.id, () => '{"a": 1}');

  const { access, request } = executions.only;
  assert.deepEqual([access.projectId, access.scope, request.input], ['mine', 'mine', '{"a": 1}']);
  assert.equal(executionId.length, 36);
});

test('the input of a call is not read for an unknown webhook', async (t) => {
  const { webhooks } = await open(t);
  const read = () => assert.fail('it was read');

  await assert.rejects(webhooks.invoke('unknown', read), notFound('Webhook not found'));
});

async function open(t: TestContext) {
  const store = await openThrowAwayStore(t);
  const aFunction = functionRecord({ projectId: 'mine' });
  await store.functions.insert(aFunction);
  const executions = new FakeExecutions();
  const rateLimit = { perSecond: 0, burst: 1 };
  const webhooks = new Webhooks(store.webhooks, new RunNames({ store, turns: new Turns() }), executions, rateLimit);
  return { webhooks, executions, functionId: aFunction.id };
}

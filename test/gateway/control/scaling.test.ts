import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import { Kind } from '../../../protocol/message.ts';
import { accessOf, adminOf } from '../../support/access.ts';
import { openCallsRig } from '../../support/calls-rig.ts';
import { until } from '../../support/fake-agent.ts';
import { request } from '../../support/functions-rig.ts';
import { rejects } from '../../support/rejects.ts';

const OF_A = accessOf('a');
const OF_B = accessOf('b');
const ADMIN_OF_B = adminOf('b');
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

async function openRig(t: TestContext) {
  const rig = await openCallsRig(t, { workerCount: 4 });
  const names = async (id: string, version = 0, access = ANYBODY) =>
    (await rig.scaling.workers(access, id, version)).map(({ workerName }) => workerName);
  return { ...rig, names };
}

test('workers are asked for, listed by their names, taken away and detached', async (t) => {
  const { create, scaling, agent, names } = await openRig(t);
  const { id } = await create();
  assert.deepEqual(await scaling.workers(ANYBODY, id, 0), []);

  await scaling.scaleUp(ANYBODY, id, 0, 3);
  await until(() => agent.link.bindCount === 0);
  assert.deepEqual(await scaling.workers(ANYBODY, id, 0), [
    { functionId: id, functionVersion: 0, workerName: 'fake-0' },
    { functionId: id, functionVersion: 0, workerName: 'fake-1' },
    { functionId: id, functionVersion: 0, workerName: 'fake-2' },
  ]);
  await scaling.scaleDown(ANYBODY, id, 0, 1);
  assert.equal((await names(id)).length, 2);
  await scaling.scaleDown(ANYBODY, id, 0, 9);
  assert.equal((await names(id)).length, 1);
  await scaling.detach(ANYBODY, id, 0);
  assert.deepEqual(await names(id), []);
});

test('a version has workers of its own, which load what it was', async (t) => {
  const { create, versions, functions, scaling, agent, names } = await openRig(t);
  const { id } = await create();
  await versions.create(ANYBODY, id, null);
  await functions.update(ANYBODY, id, request({ entry: 'main.other' }));

  await scaling.scaleUp(ANYBODY, id, 1, 2);
  await scaling.scaleUp(ANYBODY, id, 0, 1);
  await until(() => agent.link.bindCount === 0);

  assert.deepEqual(
    agent.of(Kind.Bind).map(({ entry }) => entry),
    ['main.main', 'main.main', 'main.other'],
  );
  assert.deepEqual([(await names(id, 1)).length, (await names(id, 0)).length], [2, 1]);
  await scaling.detach(ANYBODY, id, 1);
  assert.deepEqual([(await names(id, 1)).length, (await names(id, 0)).length], [0, 1]);
});

test('workers that are asked for while the function changes load what it changes to', async (t) => {
  const { create, functions, upload, scaling, agent } = await openRig(t);
  const { id } = await create();

  const change = functions.update(ANYBODY, id, request({ upload: upload({ 'main.py': 'two' }), entry: 'main.other' }));
  await Promise.all([change, scaling.scaleUp(ANYBODY, id, 0, 1)]);

  await until(() => agent.of(Kind.Bind).length === 1);
  const [bind] = agent.of(Kind.Bind);
  assert.deepEqual([bind!.entry, bind!.packageDigest], ['main.other', (await change).packageDigest]);
});

test('an unknown function or version is not found; its workers are none', async (t) => {
  const { create, scaling } = await openRig(t);
  const { id } = await create();
  const noVersion = `FunctionVersion not found [function_id=${id}, version_number=1]`;
  const noFunction = `Function not found [id=${UNKNOWN}]`;

  await rejects(scaling.scaleUp(ANYBODY, UNKNOWN, 0, 1), 'NOT_FOUND', noFunction);
  await rejects(scaling.scaleDown(ANYBODY, UNKNOWN, 0, 1), 'NOT_FOUND', noFunction);
  await rejects(scaling.detach(ANYBODY, UNKNOWN, 0), 'NOT_FOUND', noFunction);
  await rejects(scaling.scaleUp(ANYBODY, id, 1, 1), 'NOT_FOUND', noVersion);
  await rejects(scaling.scaleDown(ANYBODY, id, 1, 1), 'NOT_FOUND', noVersion);
  await rejects(scaling.detach(ANYBODY, id, 1), 'NOT_FOUND', noVersion);
  assert.deepEqual(await scaling.workers(ANYBODY, UNKNOWN, 0), []);
  assert.deepEqual(await scaling.workers(ANYBODY, id, 1), []);
});

test('who sees one project scales its functions only; an administrator those of all', async (t) => {
  const { create, scaling, agent, names } = await openRig(t);
  const { id } = await create('x', {}, OF_A);
  const noFunction = `Function not found [id=${id}]`;

  await rejects(scaling.scaleUp(OF_B, id, 0, 1), 'NOT_FOUND', noFunction);
  await rejects(scaling.scaleDown(OF_B, id, 0, 1), 'NOT_FOUND', noFunction);
  await rejects(scaling.detach(OF_B, id, 0), 'NOT_FOUND', noFunction);
  await scaling.scaleUp(ADMIN_OF_B, id, 0, 1);
  await until(() => agent.link.bindCount === 0);

  assert.deepEqual(await names(id, 0, OF_B), []);
  assert.deepEqual(await names(id, 0, OF_A), ['fake-0']);
  assert.deepEqual(await names(id, 0, ADMIN_OF_B), ['fake-0']);
});

test('no workers are taken while the runtime is not available', async (t) => {
  const { create, scaling, runtimes, runtimeId, orchestrator, agent } = await openRig(t);
  const { id } = await create();
  orchestrator.isWilling = false;
  await runtimes.update(ANYBODY, runtimeId, { image: 'other' });

  await rejects(scaling.scaleUp(ANYBODY, id, 0, 1), 'CONFLICT', `Runtime ${runtimeId} is not available.`);

  assert.deepEqual(agent.of(Kind.Bind), []);
  (await orchestrator.next()).succeed();
});

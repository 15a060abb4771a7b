import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RoomMaker } from '../../../gateway/control/room-maker.ts';
import { until } from '../../support/fake-agent.ts';
import { FakeOrchestrator } from '../../support/fake-orchestrator.ts';
import { openSingleUse, POOL } from '../../support/single-use-rig.ts';

function open(t: TestContext) {
  const rig = openSingleUse(t);
  const orchestrator = new FakeOrchestrator();
  const ended: string[] = [];
  const maker = new RoomMaker(rig.invoker.workers, orchestrator, {
    onFault: (cause) => assert.fail(String(cause)),
    onEnded: (count, poolName) => ended.push(`${count} in ${poolName}`),
  });
  /** A worker that has served this function, and is idle. */
  const serve = async (functionId: string) => {
    const agent = rig.connect(`worker of ${functionId}`);
    const ends = rig.invoke(functionId);
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!);
    await until(() => ends.length === 1);
    return agent;
  };
  const usedUp = () => rig.events.filter((event) => event.endsWith('is used up'));
  return { ...rig, orchestrator, maker, ended, serve, usedUp };
}

test('the worker that was idle longest makes room for a function that has none', async (t) => {
  const { orchestrator, maker, ended, serve, invoke, connect, usedUp } = open(t);
  const workerOfA = await serve('a');
  for (const functionId of ['b', 'c']) await serve(functionId);
  const ends = invoke('a');
  await until(() => workerOfA.invokes.length === 2);
  workerOfA.result(workerOfA.invokes[1]!);
  await until(() => ends.length === 1);
  invoke('new');
  orchestrator.lacking.set(POOL, 1);
  await maker.look(0);
  assert.deepEqual(usedUp(), ['worker of b is used up']);
  assert.deepEqual(ended, [`1 in ${POOL}`]);
  const next = connect('next');
  await until(() => next.invokes.length === 1);
});

test('no worker is ended while nobody waits, or while there is room', async (t) => {
  const { orchestrator, maker, serve, invoke, usedUp } = open(t);
  await serve('a');
  orchestrator.lacking.set(POOL, 1);
  await maker.look(0);
  orchestrator.lacking.set(POOL, 0);
  invoke('new');
  await maker.look(500);
  assert.deepEqual(usedUp(), []);
});

test('no more workers are ended than are lacking, nor than are waited for', async (t) => {
  const { orchestrator, maker, serve, invoke, usedUp } = open(t);
  for (const functionId of ['a', 'b', 'c', 'd', 'e']) await serve(functionId);
  for (const functionId of ['new', 'newer', 'newest']) invoke(functionId);
  orchestrator.lacking.set(POOL, 2);
  await maker.look(0);
  assert.equal(usedUp().length, 2);
  orchestrator.lacking.set(POOL, 8);
  await maker.look(500);
  assert.equal(usedUp().length, 3);
});

test('another one is ended when the room was taken, or when nobody has taken it for long', async (t) => {
  const { orchestrator, maker, serve, invoke, usedUp } = open(t);
  for (const functionId of ['a', 'b', 'c', 'd']) await serve(functionId);
  for (const functionId of ['new', 'newer', 'newest', 'last']) invoke(functionId);
  orchestrator.lacking.set(POOL, 2);
  await maker.look(0);
  await maker.look(500);
  assert.equal(usedUp().length, 2, 'their room is not taken yet');
  orchestrator.lacking.set(POOL, 1);
  await maker.look(1_000);
  assert.equal(usedUp().length, 2, 'one has taken it, one is lacking, and there is room for that one');
  orchestrator.lacking.set(POOL, 2);
  await maker.look(1_500);
  assert.equal(usedUp().length, 3, 'one more is lacking');
  await maker.look(20_000);
  assert.equal(usedUp().length, 4, 'the room is of no use');
});

test('a worker that runs something is not ended', async (t) => {
  const { orchestrator, maker, connect, invoke, usedUp } = open(t);
  const agent = connect('busy');
  invoke('a');
  await until(() => agent.invokes.length === 1);
  invoke('new');
  orchestrator.lacking.set(POOL, 1);
  await maker.look(0);
  assert.deepEqual(usedUp(), []);
});

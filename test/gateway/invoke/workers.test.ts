import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { CallEnd } from '../../../gateway/invoke/call.ts';
import { Invoker } from '../../../gateway/invoke/invoker.ts';
import { makeTarget, type Target } from '../../../gateway/invoke/target.ts';
import { LinkSet } from '../../../gateway/link/link-set.ts';
import { BindFault, Kind, Outcome, type Hello } from '../../../protocol/message.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';

const LONG_MICROS = 5_000_000;

function target(functionId = 'f', version = 0, change: Partial<Target> = {}): Target {
  return makeTarget({
    functionId,
    version,
    projectId: 'default',
    runtimeId: 'r',
    poolName: 'python3',
    packageDigest: 'd'.repeat(64),
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 1,
    timeoutMs: 5_000,
    image: null,
    retry: null,
    ...change,
  });
}

function open(t: TestContext, hello: Partial<Hello> = {}) {
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: 1 });
  const invoker = new Invoker(links, {
    concurrency: 1,
    maxWaitingCalls: 100,
    idleMs: 60_000,
    adoptCall: () => assert.fail('nothing to adopt'),
    onWarning: () => undefined,
  });
  t.after(() => {
    invoker.close();
    links.close();
  });
  const agent = new FakeAgent(links, { workerCount: 6, ...hello }).connect();
  let count = 0;
  const invoke = (of = target()) => {
    const ends: CallEnd[] = [];
    const call = invoker.invoke({
      executionId: `e${count++}`,
      target: of,
      input: Buffer.from('{}'),
      deadlineMs: performance.now() + 60_000,
      prepare: undefined,
      onEnd: (_call, end) => ends.push(end),
    });
    return { ends, call };
  };
  const { workers } = invoker;
  const names = (version = 0) => workers.namesOf('f', version);
  const binds = () => agent.of(Kind.Bind);
  const unbinds = () => agent.of(Kind.Unbind);
  return { links, agent, invoke, workers, names, binds, unbinds };
}

describe('workers', () => {
  test('workers that were added are used by the next calls, which are warm', async (t) => {
    const { agent, invoke, workers, names, binds } = open(t);

    workers.add(target(), 2);
    await until(() => names().length === 2);
    assert.deepEqual(names(), ['fake-0', 'fake-1']);
    assert.deepEqual(workers.capacity('python3'), { total: 6, available: 4 });
    const calls = [invoke(), invoke()];
    await until(() => agent.invokes.length === 2);

    assert.deepEqual(
      calls.map(({ call }) => call.isWarm),
      [true, true],
    );
    assert.deepEqual(agent.invokes.map(({ worker }) => worker).sort(), [0, 1]);
    assert.equal(binds().length, 2);
  });

  test('workers are added to those that calls brought', async (t) => {
    const { agent, invoke, workers, names } = open(t);
    invoke();
    await until(() => agent.invokes.length === 1);

    workers.add(target(), 1);
    workers.add(target(), 2);

    await until(() => names().length === 4);
  });

  test('only free workers are added; what is missing is forgotten', async (t) => {
    const { agent, invoke, workers, names, binds, unbinds } = open(t, { workerCount: 3 });
    invoke(target('other'));
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!);

    workers.add(target(), 1_000_000_000);
    await until(() => names().length === 2);
    assert.deepEqual(unbinds(), [], 'the idle worker of another function stays');
    assert.deepEqual(workers.capacity('python3'), { total: 3, available: 0 });
    workers.add(target(), 1);
    workers.detach('other', 0);
    await until(() => workers.capacity('python3')?.available === 1);
    await new Promise(setImmediate);

    assert.equal(names().length, 2);
    assert.equal(binds().length, 3);
  });

  test('where no agent is, nothing is added', (t) => {
    const { links, workers, names } = open(t);
    links.agentGone('fake');
    workers.add(target(), 3);
    assert.deepEqual(names(), []);
    assert.equal(workers.hasBoundWorkers('r'), false);
  });

  test('an agent loads so many at once as it may, then the next', async (t) => {
    const { agent, workers, names, binds } = open(t);
    agent.bindsAtOnce = false;

    workers.add(target(), 6);
    await until(() => binds().length === 4);
    await new Promise(setImmediate);
    assert.equal(binds().length, 4);
    agent.bound(binds()[0]!);
    await until(() => binds().length === 5);
    for (const bind of binds().slice(1)) agent.bound(bind);
    await until(() => binds().length === 6);
    agent.bound(binds()[5]!);

    assert.equal(names().length, 6);
  });

  test('calls that wait for a worker go before workers that were asked for by hand', async (t) => {
    const { agent, invoke, workers, binds } = open(t);
    agent.bindsAtOnce = false;
    workers.add(target(), 6);
    await until(() => binds().length === 4);

    invoke(target('caller'));
    agent.bound(binds()[0]!);

    await until(() => binds().length === 5);
    assert.match(binds()[4]!.targetKey, /^caller\//);
  });

  for (const [name, fault] of Object.entries(BindFault)) {
    test(`a target that does not load (fault: ${name}) is not tried on ever more workers`, async (t) => {
      const { agent, workers, names, binds } = open(t);
      agent.bindsAtOnce = false;
      workers.add(target(), 6);
      await until(() => binds().length === 4);

      for (const bind of binds()) agent.bindFailed(bind, fault);
      await new Promise(setImmediate);

      assert.equal(binds().length, 4);
      assert.deepEqual(names(), []);
      assert.deepEqual(workers.capacity('python3'), { total: 6, available: 6 });
    });
  }

  test('a worker that was added counts as just used: its idle time begins', async (t) => {
    const { agent, workers, names } = open(t);
    const beforeMs = performance.now();

    workers.add(target(), 1);

    await until(() => names().length === 1);
    assert.ok(agent.link.seats[0]!.lastUsedMs >= beforeMs);
  });

  test('of workers that are taken away the idle ones go at once, the others after their call, and one stays', async (t) => {
    const { agent, invoke, workers, names, unbinds } = open(t);
    workers.add(target(), 4);
    await until(() => names().length === 4);
    const calls = [invoke(), invoke(), invoke()];
    await until(() => agent.invokes.length === 3);

    workers.remove('f', 0, 1_000);

    await until(() => unbinds().length === 1);
    assert.deepEqual(
      unbinds().map(({ worker }) => worker),
      [3],
    );
    assert.equal(names().length, 3);
    for (const invocation of agent.invokes) agent.result(invocation, Outcome.Returned, '1', LONG_MICROS);
    await until(() => unbinds().length === 3);
    assert.equal(names().length, 1);
    assert.deepEqual(
      calls.map(({ ends }) => ends[0]?.kind),
      ['outcome', 'outcome', 'outcome'],
    );
    invoke();
    await until(() => agent.invokes.length === 4);
    assert.equal(`fake-${agent.invokes[3]!.worker}`, names()[0]);
  });

  test('a worker that is to go takes no new call', async (t) => {
    const { agent, invoke, workers, names } = open(t);
    workers.add(target(), 2);
    await until(() => names().length === 2);
    invoke();
    invoke();
    await until(() => agent.invokes.length === 2);
    workers.remove('f', 0, 1);

    invoke();
    agent.result(agent.invokes[0]!, Outcome.Returned, '1', LONG_MICROS);
    agent.result(agent.invokes[1]!, Outcome.Returned, '1', LONG_MICROS);

    await until(() => agent.invokes.length === 3);
    assert.equal(`fake-${agent.invokes[2]!.worker}`, names()[0]);
    assert.equal(names().length, 1);
  });

  test('the only worker, and no worker, is not taken away', async (t) => {
    const { workers, names, unbinds } = open(t);
    workers.remove('f', 0, 1);
    workers.add(target(), 1);
    await until(() => names().length === 1);

    workers.remove('f', 0, 1);
    workers.remove('unknown', 0, 1);

    await new Promise(setImmediate);
    assert.deepEqual(unbinds(), []);
    assert.equal(names().length, 1);
  });

  test('detaching gives all workers of one version back, and those of no other', async (t) => {
    const { agent, invoke, workers, names } = open(t);
    for (const version of [0, 1, 2]) workers.add(target('f', version), 1);
    await until(() => names(2).length === 1);

    workers.detach('f', 1);

    assert.deepEqual([names(0).length, names(1).length, names(2).length], [1, 0, 1]);
    await until(() => workers.capacity('python3')?.available === 4);
    const { call } = invoke(target('f', 1));
    await until(() => agent.invokes.length === 1);
    assert.equal(call.isWarm, false);
  });

  test('detaching lets running calls end first; their worker is in the list until then', async (t) => {
    const { agent, invoke, workers, names, unbinds } = open(t);
    const { ends } = invoke();
    await until(() => agent.invokes.length === 1);

    workers.detach('f', 0);

    assert.deepEqual([names(), unbinds()], [['fake-0'], []]);
    assert.equal(workers.hasBoundWorkers('r'), true);
    agent.result(agent.invokes[0]!);
    assert.equal(ends[0]?.kind, 'outcome');
    assert.deepEqual(names(), []);
    assert.equal(workers.hasBoundWorkers('r'), false);
    await until(() => unbinds().length === 1);
  });

  test('workers that are on their way when their target is detached are given back', async (t) => {
    const { agent, workers, names, binds } = open(t);
    agent.bindsAtOnce = false;
    workers.add(target(), 6);
    await until(() => binds().length === 4);

    workers.detach('f', 0);
    for (const bind of binds()) agent.bound(bind);

    await until(() => workers.capacity('python3')?.available === 6);
    assert.deepEqual(names(), []);
    assert.equal(binds().length, 4);
  });

  test("a version's workers are known by function and version, whatever its limits were", async (t) => {
    const { workers, names } = open(t);
    workers.add(target('f', 1), 1);
    workers.add(target('f', 1, { cpuMillicores: 200 }), 2);
    await until(() => names(1).length === 3);

    workers.remove('f', 1, 9);
    assert.equal(names(1).length, 1);
    workers.detach('f', 1);
    assert.equal(names(1).length, 0);
  });

  test("a lost agent's workers are gone from the list", async (t) => {
    const { links, workers, names } = open(t);
    workers.add(target(), 2);
    await until(() => names().length === 2);

    links.agentGone('fake');

    assert.deepEqual(names(), []);
    assert.equal(workers.capacity('python3'), undefined);
  });
});

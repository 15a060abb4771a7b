import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { CallEnd } from '../../../gateway/invoke/call.ts';
import { Invoker } from '../../../gateway/invoke/invoker.ts';
import type { Target } from '../../../gateway/invoke/target.ts';
import { LinkSet } from '../../../gateway/link/link-set.ts';
import { BindFault, Kind, Outcome, type Hello } from '../../../protocol/message.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';

const CONCURRENCY = 3;

function target(functionId: string): Target {
  return {
    key: `${functionId}/0`,
    functionId,
    version: 0,
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
  };
}

interface Options {
  hello?: Partial<Hello>;
  maxWaitingCalls?: number;
  idleMs?: number;
}

function open(t: TestContext, { hello, maxWaitingCalls = 100, idleMs = 60_000 }: Options = {}) {
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: CONCURRENCY });
  const invoker = new Invoker(links, {
    concurrency: CONCURRENCY,
    maxWaitingCalls,
    idleMs,
    adoptCall: () => assert.fail('nothing to adopt'),
    findTarget: () => Promise.resolve(undefined),
    onWarning: () => undefined,
  });
  t.after(() => {
    invoker.close();
    links.close();
  });
  const agent = new FakeAgent(links, hello).connect();
  let count = 0;
  const invoke = (functionId = 'f', deadlineMs = performance.now() + 60_000, prepare?: () => Promise<boolean>) => {
    const ends: CallEnd[] = [];
    const call = invoker.invoke({
      executionId: `e${count++}`,
      target: target(functionId),
      input: Buffer.from('{}'),
      deadlineMs,
      prepare,
      onEnd: (_call, end) => ends.push(end),
    });
    return { ends, call };
  };
  return { links, invoker, agent, invoke };
}

const binds = (agent: FakeAgent) => agent.of(Kind.Bind);

describe('invoker', () => {
  test('the first call of a target binds a worker and is cold, the next is warm', async (t) => {
    const { agent, invoke } = open(t);
    const cold = invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.Returned, '"hi"');
    assert.equal(cold.ends[0]?.kind, 'outcome');
    assert.equal(cold.call.isWarm, false);
    const warm = invoke();
    await until(() => agent.invokes.length === 2);
    assert.equal(warm.call.isWarm, true);
    assert.equal(binds(agent).length, 1);
  });

  test('callers that come together share one placement', async (t) => {
    const { agent, invoke } = open(t);
    agent.bindsAtOnce = false;
    const calls = [invoke(), invoke(), invoke()];
    await until(() => binds(agent).length === 1);
    agent.bound(binds(agent)[0]!);
    await until(() => agent.invokes.length === 3);
    assert.equal(binds(agent).length, 1);
    for (const message of agent.invokes) agent.result(message);
    assert.deepEqual(
      calls.map(({ ends }) => ends.length),
      [1, 1, 1],
    );
  });

  test('six parallel calls of a function that takes long use two workers, three use one', async (t) => {
    const { agent, invoke } = open(t);
    for (let n = 0; n < 3; n++) invoke();
    await until(() => agent.invokes.length === 3);
    assert.equal(binds(agent).length, 1);
    for (let n = 0; n < 3; n++) invoke();
    await until(() => agent.invokes.length === 6, 'growth');
    assert.equal(binds(agent).length, 2);
    assert.deepEqual(agent.invokes.map(({ worker }) => worker).sort(), [0, 0, 0, 1, 1, 1]);
  });

  test('calls of well under a millisecond are pipelined to one worker', async (t) => {
    const { agent, invoke } = open(t);
    invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.Returned, '1', 50);
    for (let n = 0; n < 30; n++) invoke();
    await until(() => agent.invokes.length === 31);
    assert.equal(binds(agent).length, 1);
  });

  test('a long line of short calls that nobody awaits takes its workers one by one, to see whether they help', async (t) => {
    const { agent, invoke } = open(t, { hello: { workerCount: 16 } });
    invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.Returned, '1', 1_000);
    const begunAtMs = performance.now();
    for (let n = 0; n < 5_000; n++) invoke('f', Number.POSITIVE_INFINITY);
    let ended = 1;
    const processor = setInterval(() => {
      for (const message of agent.invokes.slice(ended, ended + 5)) agent.result(message, Outcome.Returned, '1', 1_000);
      ended = Math.min(ended + 5, agent.invokes.length);
    }, 2);
    t.after(() => clearInterval(processor));
    await until(() => ended >= 1_500);
    const most = 2 + (performance.now() - begunAtMs) / 200;
    assert.ok(binds(agent).length <= most, `${binds(agent).length} workers, at most ${most}`);
  });

  test('long calls that nobody awaits leave workers to functions that have none; awaited ones take all', async (t) => {
    const { agent, invoke } = open(t, { hello: { workerCount: 16 } });
    for (let n = 0; n < 100; n++) invoke('later', Number.POSITIVE_INFINITY);
    await until(() => agent.invokes.length === 14 * CONCURRENCY);
    for (const functionId of ['one', 'other']) invoke(functionId);
    await until(() => agent.invokes.length === 14 * CONCURRENCY + 2, 'a worker for each newcomer');
    agent.invokes.forEach((message, at) => at >= 14 * CONCURRENCY && agent.result(message));
    for (let n = 0; n < 100; n++) invoke('awaited');
    await until(() => agent.invokes.length === 16 * CONCURRENCY + 2, 'the idle workers of the newcomers');
    assert.equal(binds(agent).length, 18);
  });

  test('calls are not sent behind those that turn out to take long, nor sent there again when they come back', async (t) => {
    const { agent, invoke } = open(t);
    invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.Returned, '1', 50);
    for (let n = 0; n < 10; n++) invoke(); // short ones, it seems
    await until(() => agent.invokes.length === 11);
    assert.ok(agent.invokes.every(({ worker }) => worker === 0));
    await new Promise((resolve) => setTimeout(resolve, 150)); // and nothing ends
    const late = invoke();
    await until(() => agent.invokes.length === 12);
    assert.equal(agent.invokes[11]!.worker, 1);
    agent.result(agent.invokes[11]!, Outcome.Returned, '1', 50);
    assert.equal(late.ends[0]?.kind, 'outcome');
    for (const trapped of agent.invokes.slice(4, 11)) agent.result(trapped, Outcome.NotStarted);
    await until(() => agent.invokes.length === 19);
    assert.ok(agent.invokes.slice(12).every(({ worker }) => worker === 1));
  });

  test('a long call ends pipelining until calls are short again', async (t) => {
    const { agent, invoke } = open(t);
    invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.Returned, '1', 5_000_000);
    for (let n = 0; n < 4; n++) invoke();
    await until(() => agent.invokes.length >= 4);
    assert.equal(agent.invokes.filter(({ worker }) => worker === 0).length, 1 + CONCURRENCY);
  });

  test('a line that is full refuses with a retryable error', (t) => {
    const { agent, invoke } = open(t, { maxWaitingCalls: 2 });
    agent.bindsAtOnce = false;
    invoke();
    invoke();
    const { ends } = invoke();
    assert.ok(ends[0]?.kind === 'refused' && ends[0].error.httpStatus === 503 && ends[0].error.retryAfterSeconds === 1);
  });

  test('a line whose inputs hold much is full too, until some of them are gone', async (t) => {
    const { agent, invoker } = open(t);
    agent.bindsAtOnce = false;
    const large = Buffer.alloc(100 * 1024 * 1024);
    const ends: CallEnd[] = [];
    const invokeLarge = (deadlineMs: number) => {
      const request = { executionId: 'large', target: target('f'), input: large, deadlineMs, prepare: undefined };
      return invoker.invoke({ ...request, onEnd: (_call, end) => ends.push(end) });
    };
    const soonMs = performance.now() + 1;
    invokeLarge(soonMs);
    invokeLarge(performance.now() + 60_000);
    assert.equal(ends.length, 0);
    assert.equal(invokeLarge(performance.now() + 60_000).isEnded, true);
    assert.ok(ends[0]?.kind === 'refused' && ends[0].error.code === 'NO_FREE_WORKER');
    assert.equal(
      invokeLarge(Number.POSITIVE_INFINITY).isEnded,
      false,
      'those without a deadline are bounded elsewhere',
    );
    await until(() => ends.length === 2);
    assert.equal(invokeLarge(performance.now() + 60_000).isEnded, false);
  });

  test('a call whose deadline passes in the line is refused', async (t) => {
    const { agent, invoke } = open(t);
    agent.bindsAtOnce = false;
    const { ends } = invoke('f', performance.now() + 1);
    await until(() => ends.length === 1);
    assert.ok(ends[0]?.kind === 'refused' && ends[0].error.code === 'NO_FREE_WORKER');
  });

  test('a target that does not load fails every call that waits for it, and the worker is free again', async (t) => {
    const { agent, invoke, invoker } = open(t);
    agent.bindsAtOnce = false;
    const calls = [invoke(), invoke()];
    await until(() => binds(agent).length === 1);
    agent.bindFailed(binds(agent)[0]!, BindFault.Function, '"No module named main"');
    for (const { ends } of calls) {
      assert.ok(
        ends[0]?.kind === 'outcome' && Buffer.from(ends[0].result.output).toString() === '"No module named main"',
      );
    }
    assert.deepEqual(invoker.workers.capacity('python3'), { total: 2, available: 2 });
  });

  test('an agent that cannot take a target is tried again, and then the call is refused', async (t) => {
    const { agent, invoke } = open(t);
    agent.bindsAtOnce = false;
    const { ends } = invoke();
    for (let tries = 1; tries <= 3; tries++) {
      await until(() => binds(agent).length === tries);
      agent.bindFailed(binds(agent)[tries - 1]!, BindFault.Agent);
    }
    assert.ok(ends[0]?.kind === 'refused' && ends[0].error.code === 'UNAVAILABLE');
  });

  test('a target without a worker takes the one that was idle longest', async (t) => {
    const { agent, invoke } = open(t);
    for (const [index, functionId] of ['a', 'b', 'c'].entries()) {
      invoke(functionId);
      await until(() => agent.invokes.length === index + 1);
      agent.result(agent.invokes[index]!);
    }
    assert.deepEqual(
      binds(agent).map(({ targetKey }) => targetKey),
      ['a/0', 'b/0', 'c/0'],
    );
    assert.equal(binds(agent)[2]?.worker, binds(agent)[0]?.worker);
  });

  test('a target waits for a worker while all are busy, and gets one that becomes idle', async (t) => {
    const { agent, invoke } = open(t, { hello: { workerCount: 1 } });
    invoke('busy');
    await until(() => agent.invokes.length === 1);
    invoke('hungry');
    agent.result(agent.invokes[0]!);
    await until(() => agent.invokes.length === 2);
    assert.equal(binds(agent)[1]?.targetKey, 'hungry/0');
  });

  test('a target without a worker gets one of a target that holds several, even under constant load', async (t) => {
    const { agent, invoke } = open(t);
    for (let n = 0; n < 6; n++) invoke('greedy');
    await until(() => agent.invokes.length === 6);
    invoke('poor');
    for (let n = 0; !binds(agent).some(({ targetKey }) => targetKey === 'poor/0'); n++) {
      assert.ok(n < 50, 'the load never lets a worker go');
      invoke('greedy');
      agent.result(agent.invokes[n]!, Outcome.Returned, '1', 5_000_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });

  test('a call that did not start is sent again', async (t) => {
    const { agent, invoke } = open(t);
    const { ends } = invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.NotStarted);
    await until(() => agent.invokes.length === 2);
    agent.result(agent.invokes[1]!);
    assert.equal(ends.length, 1);
    assert.equal(ends[0]?.kind, 'outcome');
  });

  test('a call that is handed back again and again is refused', async (t) => {
    const { agent, invoke } = open(t);
    const { ends } = invoke();
    for (let n = 0; ends.length === 0; n++) {
      await until(() => agent.invokes.length === n + 1);
      agent.result(agent.invokes[n]!, Outcome.NotStarted);
    }
    assert.equal(ends[0]?.kind, 'refused');
  });

  test('a lost agent ends its calls as lost', async (t) => {
    const { agent, invoke, links } = open(t);
    const { ends } = invoke();
    await until(() => agent.invokes.length === 1);
    links.agentGone('fake');
    assert.deepEqual(
      ends.map(({ kind }) => kind),
      ['lost'],
    );
  });

  test('calls wait while no agent is there and run when one comes', async (t) => {
    const { agent, invoke, links } = open(t);
    links.agentGone('fake');
    const { ends } = invoke();
    const next = new FakeAgent(links).connect();
    await until(() => next.invokes.length === 1);
    next.result(next.invokes[0]!);
    assert.equal(ends[0]?.kind, 'outcome');
    assert.equal(agent.invokes.length, 0);
  });

  test('prepare is asked once, before anything is sent; its no withdraws the call', async (t) => {
    const { agent, invoke } = open(t);
    const { ends } = invoke('f', Number.POSITIVE_INFINITY, () => Promise.resolve(false));
    await until(() => ends.length === 1);
    assert.deepEqual(ends, [{ kind: 'withdrawn' }]);
    let asked = 0;
    const again = invoke('f', Number.POSITIVE_INFINITY, () => Promise.resolve(++asked > 0));
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!, Outcome.NotStarted);
    await until(() => agent.invokes.length === 2);
    agent.result(agent.invokes[1]!);
    assert.equal(again.ends[0]?.kind, 'outcome');
    assert.equal(asked, 1);
  });

  test('a function that changed gives its workers back when its last call has ended', async (t) => {
    const { agent, invoke, invoker } = open(t);
    const { ends } = invoke();
    await until(() => agent.invokes.length === 1);
    invoker.workers.detach('f', 0);
    assert.equal(agent.of(Kind.Unbind).length, 0);
    agent.result(agent.invokes[0]!);
    assert.equal(ends.length, 1);
    await until(() => agent.of(Kind.Unbind).length === 1);
    await until(() => invoker.workers.capacity('python3')?.available === 2);
  });

  test('a worker that serves no call for the idle time is given back', async (t) => {
    const { agent, invoke, invoker } = open(t, { idleMs: 1 });
    invoke();
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!);
    assert.equal(invoker.workers.hasBoundWorkers('r'), true);
    await until(() => agent.of(Kind.Unbind).length === 1);
    assert.equal(invoker.workers.hasBoundWorkers('r'), false);
  });

  test('closing refuses what waits', (t) => {
    const { agent, invoke, invoker } = open(t);
    agent.bindsAtOnce = false;
    const { ends } = invoke();
    invoker.close();
    assert.ok(ends[0]?.kind === 'refused' && ends[0].error.code === 'SHUTTING_DOWN');
  });
});

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { CallEnd } from '../../../gateway/invoke/call.ts';
import { Invoker } from '../../../gateway/invoke/invoker.ts';
import type { Target } from '../../../gateway/invoke/target.ts';
import type { AgentIdentity } from '../../../gateway/link/agent-identity.ts';
import { LinkSet } from '../../../gateway/link/link-set.ts';
import type { PendingCall } from '../../../gateway/link/pending-table.ts';
import { BindFault, Kind, type Hello } from '../../../protocol/message.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';

const SINGLE_USE: AgentIdentity = { agentName: undefined, mayServe: () => true, isSingleUse: true };

function target(functionId: string): Target {
  return {
    key: `${functionId}/0`,
    functionId,
    version: 0,
    projectId: 'p',
    runtimeId: 'r',
    poolName: 'python3',
    packageDigest: 'd'.repeat(64),
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 1,
    timeoutMs: 1000,
    retry: null,
  };
}

function open(t: TestContext, findTarget?: (key: string) => Promise<Target | undefined>) {
  const events: string[] = [];
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: 1 });
  links.watchWorkers({
    onTaken: (name, { targetKey }) => events.push(`${name} takes ${targetKey}`),
    onUsedUp: (name) => events.push(`${name} is used up`),
  });
  const adopted: string[] = [];
  const adoptCall = (executionId: string): PendingCall => {
    adopted.push(executionId);
    return {
      executionId,
      expiresAtMs: Infinity,
      onResult: () => undefined,
      onNotReceived: () => undefined,
      onLost: () => undefined,
    };
  };
  const invoker = new Invoker(links, {
    concurrency: 1,
    maxWaitingCalls: 100,
    idleMs: 60_000,
    adoptCall,
    ...(findTarget === undefined ? {} : { findTarget }),
    onWarning: () => undefined,
  });
  t.after(() => {
    invoker.close();
    links.close();
  });
  const connect = (agentName: string, hello: Partial<Hello> = {}) =>
    new FakeAgent(links, { agentName, workerCount: 1, ...hello }, SINGLE_USE).connect();
  const invoke = (functionId: string) => {
    const ends: CallEnd[] = [];
    const deadlineMs = performance.now() + 60_000;
    const input = Buffer.from('{}');
    invoker.invoke({
      executionId: functionId,
      target: target(functionId),
      input,
      deadlineMs,
      prepare: undefined,
      onEnd: (_call, end) => ends.push(end),
    });
    return ends;
  };
  return { links, invoker, events, adopted, connect, invoke };
}

describe('a worker that serves one target only', () => {
  test('is told of when it is taken, and when it is used up', async (t) => {
    const { invoker, events, connect, invoke } = open(t);
    const agent = connect('a');
    invoke('f');
    await until(() => agent.invokes.length === 1);
    assert.deepEqual(events, ['a takes f/0']);
    agent.result(agent.invokes[0]!);
    invoker.workers.detach('f', 0);
    await until(() => events.length === 2);
    assert.deepEqual(events, ['a takes f/0', 'a is used up']);
  });

  test('gets no second target: that waits for another worker', async (t) => {
    const { connect, invoke } = open(t);
    const first = connect('a');
    invoke('f');
    await until(() => first.invokes.length === 1);
    first.result(first.invokes[0]!);
    invoke('g'); // the idle one is not taken from its target
    const second = connect('b');
    await until(() => second.invokes.length === 1);
    assert.deepEqual(
      first.of(Kind.Bind).map(({ targetKey }) => targetKey),
      ['f/0'],
    );
    assert.equal(first.of(Kind.Unbind).length, 0);
    invoke('f');
    await until(() => first.invokes.length === 2);
  });

  test('is used up by a target that does not load, and takes no other one', async (t) => {
    const { events, connect, invoke } = open(t);
    const agent = connect('a');
    agent.bindsAtOnce = false;
    const ends = invoke('f');
    await until(() => agent.of(Kind.Bind).length === 1);
    agent.bindFailed(agent.of(Kind.Bind)[0]!, BindFault.Function, '"no module"');
    await until(() => ends.length === 1);
    assert.deepEqual(events, ['a takes f/0', 'a is used up']);
    invoke('g');
    const other = connect('b');
    await until(() => other.invokes.length === 1);
    assert.equal(agent.of(Kind.Bind).length, 1);
  });

  test('stays used up when its agent comes back', async (t) => {
    const { invoker, links, connect, invoke } = open(t);
    const agent = connect('a');
    invoke('f');
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!);
    invoker.workers.detach('f', 0);
    agent.connect();
    assert.equal([...links.serving('python3')].length, 0);
  });
});

describe('a worker that an earlier gateway bound', () => {
  const hello: Partial<Hello> = { bound: [[0, 'f/0']] };

  test('goes on to serve its target', async (t) => {
    const { connect, invoke } = open(t, async (key) => (key === 'f/0' ? target('f') : undefined));
    const agent = connect('a', hello);
    await new Promise((resolve) => setImmediate(resolve)); // the target is looked up
    invoke('f');
    await until(() => agent.invokes.length === 1);
    assert.equal(agent.of(Kind.Bind).length, 0);
    assert.equal(agent.of(Kind.Unbind).length, 0);
  });

  test('keeps what it runs, and is freed afterwards where its target is no more', async (t) => {
    const { adopted, connect, events } = open(t, async () => undefined);
    const agent = connect('a', { ...hello, held: [[0, 'execution']] });
    assert.deepEqual(adopted, ['execution']);
    // Longer than the gateway takes to look for workers to free.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(agent.of(Kind.Unbind).length, 0);
    agent.result({
      kind: Kind.Invoke,
      slot: 0,
      worker: 0,
      executionId: 'execution',
      timeoutMs: 1,
      input: Buffer.alloc(0),
    });
    await until(() => agent.of(Kind.Unbind).length === 1);
    await until(() => events.includes('a is used up'));
  });
});

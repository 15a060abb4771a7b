import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BindFault, Kind, type Hello } from '../../../protocol/message.ts';
import { until } from '../../support/fake-agent.ts';
import { openSingleUse as open, target } from '../../support/single-use-rig.ts';

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

  test('is not among those that calls nobody awaits leave, while it is idle: no other target can take it', async (t) => {
    const { connect, invoke } = open(t);
    for (let at = 0; at < 8; at++) {
      const agent = connect(`taken-${at}`);
      invoke(`f${at}`);
      await until(() => agent.invokes.length === 1);
      agent.result(agent.invokes[0]!);
    }
    const free = ['a', 'b', 'c'].map((name) => connect(name));
    const invokes = () => free.flatMap((agent) => agent.invokes.map(({ executionId }) => executionId));
    for (let count = 0; count < 10; count++) invoke('later', Number.POSITIVE_INFINITY);
    await until(() => invokes().length === 2);
    invoke('awaited');
    await until(() => invokes().length === 3);
    assert.deepEqual(invokes().sort(), ['awaited', 'later', 'later']);
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

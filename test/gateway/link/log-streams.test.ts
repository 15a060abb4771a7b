import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { LinkSet } from '../../../gateway/link/link-set.ts';
import type { PendingCall } from '../../../gateway/link/pending-table.ts';
import { FOLLOWS_LOGS } from '../../../protocol/version.ts';
import { Kind } from '../../../protocol/message.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';

const INPUT = Buffer.from('{}');

function pendingCall(executionId: string): PendingCall {
  const nothing = () => undefined;
  const expiresAtMs = Number.POSITIVE_INFINITY;
  return { executionId, expiresAtMs, onResult: nothing, onNotReceived: nothing, onLost: nothing };
}

/** An agent with one call, of this version of the protocol. */
async function openCall(t: TestContext, protocolVersion: number = FOLLOWS_LOGS) {
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: 3, returnGraceMs: 60_000 });
  links.listen({
    onBoundSeatFound: () => false,
    onSeatFree: () => undefined,
    adoptCall: (executionId) => pendingCall(executionId),
  });
  t.after(() => links.close());
  const agent = new FakeAgent(links, { protocolVersion }).connect();
  const call = pendingCall('a');
  agent.link.tryInvoke(agent.link.seats[0]!, call, 1000, INPUT);
  await until(() => agent.invokes.length === 1);
  return { links, agent, call, invoke: agent.invokes[0]! };
}

/** A reader that writes down what it gets. */
function reader() {
  const texts: string[] = [];
  return { texts, onLog: (offset: number, log: Uint8Array) => texts.push(`${offset} ${Buffer.from(log).toString()}`) };
}

describe('log streams', () => {
  test('a reader gets what the agent tells of its call, until the result', async (t) => {
    const { agent, call, invoke } = await openCall(t);
    const { texts, onLog } = reader();
    const stream = agent.link.follow(call, onLog)!;
    await until(() => agent.of(Kind.Follow).length === 1);
    assert.deepEqual(agent.of(Kind.Follow), [{ kind: Kind.Follow, slot: invoke.slot, isWanted: true }]);

    agent.prints(invoke, 0, 'one');
    agent.prints({ ...invoke, slot: invoke.slot + 1 }, 0, 'of another');
    agent.prints(invoke, 3, 'two');
    assert.equal(stream.isOver, false);
    agent.result(invoke);
    agent.prints(invoke, 6, 'late');

    assert.deepEqual(texts, ['0 one', '3 two']);
    assert.equal(stream.isOver, true);
    stream.stop();
    assert.equal(agent.link.follow(call, onLog), undefined);
  });

  test('an agent of an older version is not asked', async (t) => {
    const { agent, call } = await openCall(t, FOLLOWS_LOGS - 1);
    assert.equal(
      agent.link.follow(call, () => undefined),
      undefined,
    );
    agent.link.unbind(agent.link.seats[1]!);
    await until(() => agent.of(Kind.Unbind).length === 1);
    assert.deepEqual(agent.of(Kind.Follow), []);
  });

  test('a call that the link does not have cannot be followed', async (t) => {
    const { agent } = await openCall(t);
    assert.equal(
      agent.link.follow(pendingCall('b'), () => undefined),
      undefined,
    );
  });

  test('the agent is told when the last reader has gone', async (t) => {
    const { agent, call, invoke } = await openCall(t);
    const [one, two] = [reader(), reader()];
    const first = agent.link.follow(call, one.onLog)!;
    const second = agent.link.follow(call, two.onLog)!;
    first.stop();
    first.stop();
    agent.prints(invoke, 0, 'text');
    second.stop();
    await until(() => agent.of(Kind.Follow).length === 3);
    assert.deepEqual(
      agent.of(Kind.Follow).map(({ isWanted }) => isWanted),
      [true, true, false],
    );
    assert.deepEqual([one.texts, two.texts], [[], ['0 text']]);
  });

  test('an agent that comes back is asked again, and one that lost the call is not', async (t) => {
    const { links, agent, call, invoke } = await openCall(t);
    const { texts, onLog } = reader();
    const stream = agent.link.follow(call, onLog)!;
    agent.lose();
    const held: [number, string][] = [[invoke.slot, 'a']];
    const back = new FakeAgent(links, { instanceId: agent.instanceId, protocolVersion: FOLLOWS_LOGS, held }).connect();
    await until(() => back.of(Kind.Follow).length === 1);
    back.prints(invoke, 0, 'text');
    assert.deepEqual(texts, ['0 text']);

    back.lose();
    const empty = new FakeAgent(links, { instanceId: agent.instanceId, protocolVersion: FOLLOWS_LOGS }).connect();
    await until(() => empty.of(Kind.Welcome).length === 1);
    assert.deepEqual(empty.of(Kind.Follow), []);
    assert.equal(stream.isOver, true);
  });

  test('the end of an agent ends its streams', async (t) => {
    const { links, agent, call } = await openCall(t);
    const stream = agent.link.follow(call, () => undefined)!;
    links.agentGone('fake');
    assert.equal(stream.isOver, true);
  });
});

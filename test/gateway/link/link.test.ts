import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LinkSet } from '../../../gateway/link/link-set.ts';
import { LinkState } from '../../../gateway/link/link.ts';
import type { PendingCall } from '../../../gateway/link/pending-table.ts';
import { Kind, type Result } from '../../../protocol/message.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';

const INPUT = Buffer.from('{}');

/** A call that writes down what becomes of it. */
function recordingCall(executionId: string, events: string[]): PendingCall & { slot: number } {
  return {
    executionId,
    expiresAtMs: Number.POSITIVE_INFINITY,
    slot: -1,
    onResult(result: Result, slot: number) {
      this.slot = slot;
      events.push(`${executionId} result ${result.outcome}`);
    },
    onNotReceived: () => events.push(`${executionId} not received`),
    onLost: () => events.push(`${executionId} lost`),
  };
}

function openLinks(returnGraceMs = 60_000) {
  const events: string[] = [];
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: 3, returnGraceMs });
  links.listen({
    onBoundSeatFound: () => false,
    onSeatFree: () => undefined,
    adoptCall: (executionId) => recordingCall(executionId, events),
  });
  return { links, events };
}

describe('link', () => {
  test('Hello is answered by Welcome with the limits', async (t) => {
    const { links } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    await until(() => agent.received.length > 0);
    const [welcome] = agent.of(Kind.Welcome);
    assert.equal(welcome?.maxOutputBytes, 1000);
    assert.equal(welcome?.concurrency, 3);
  });

  test('a result reaches its call once, and is acknowledged when it is recorded', async (t) => {
    const { links, events } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    const call = recordingCall('a', events);
    assert.equal(agent.link.tryInvoke(agent.link.seats[0]!, call, 1000, INPUT), true);
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!);
    agent.result(agent.invokes[0]!);
    assert.deepEqual(events, ['a result 0']);
    assert.equal(agent.of(Kind.Ack).length, 0);
    agent.link.acknowledge(call.slot);
    await until(() => agent.of(Kind.Ack).length === 1);
    assert.deepEqual(agent.of(Kind.Ack)[0]?.slots, [call.slot]);
  });

  test('an agent that comes back keeps its calls; those that it never got are told so', async (t) => {
    const { links, events } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('held', events), 1000, INPUT);
    agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('in transit', events), 1000, INPUT);
    await until(() => agent.invokes.length === 2);
    agent.lose();
    assert.equal(agent.link.state, LinkState.Away);
    assert.equal(agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('x', events), 1000, INPUT), false);

    const again = new FakeAgent(links, {
      instanceId: agent.instanceId,
      held: [[agent.invokes[0]!.slot, 'held']],
    }).connect();
    assert.equal(again.link, agent.link);
    assert.deepEqual(events, ['in transit not received']);
    again.result(agent.invokes[0]!);
    assert.deepEqual(events, ['in transit not received', 'held result 0']);
  });

  test('a result that was recorded while the agent was away is acknowledged when it comes again', async (t) => {
    const { links, events } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    const call = recordingCall('a', events);
    agent.link.tryInvoke(agent.link.seats[0]!, call, 1000, INPUT);
    await until(() => agent.invokes.length === 1);
    agent.result(agent.invokes[0]!);
    agent.lose();
    agent.link.acknowledge(call.slot);
    const again = new FakeAgent(links, { instanceId: agent.instanceId, held: [[call.slot, 'a']] }).connect();
    again.result(agent.invokes[0]!);
    await until(() => again.of(Kind.Ack).length === 1);
    assert.deepEqual(events, ['a result 0']);
  });

  test('a new process of the same agent means that the calls of the old one are lost', (t) => {
    const { links, events } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('a', events), 1000, INPUT);
    agent.lose();
    new FakeAgent(links).connect();
    assert.deepEqual(events, ['a lost']);
    assert.equal(agent.link.state, LinkState.Closed);
  });

  test('an agent that does not come back in time loses its calls', async (t) => {
    const { links, events } = openLinks(5);
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('a', events), 1000, INPUT);
    agent.lose();
    await until(() => events.length > 0);
    assert.deepEqual(events, ['a lost']);
    assert.deepEqual([...links], []);
  });

  test('an invocation of an earlier gateway is adopted, its result acknowledged by who adopts it', async (t) => {
    const { links, events } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links, { held: [[7, 'old']] }).connect();
    agent.result({ kind: Kind.Invoke, slot: 7, worker: 0, executionId: 'old', timeoutMs: 1, input: INPUT });
    assert.deepEqual(events, ['old result 0']);
  });

  test('a draining agent takes no more calls and gives the results of those it has', async (t) => {
    const { links, events } = openLinks();
    t.after(() => links.close());
    const agent = new FakeAgent(links).connect();
    agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('a', events), 1000, INPUT);
    await until(() => agent.invokes.length === 1);
    agent.say({ kind: Kind.Drain });
    assert.equal(agent.link.tryInvoke(agent.link.seats[0]!, recordingCall('b', events), 1000, INPUT), false);
    agent.result(agent.invokes[0]!);
    assert.deepEqual(events, ['a result 0']);
  });
});

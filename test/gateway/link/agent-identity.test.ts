import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretAuthenticator, TRUSTED_AGENT, type AgentIdentity } from '../../../gateway/link/agent-identity.ts';
import { LinkSet, refuseHello } from '../../../gateway/link/link-set.ts';
import { LinkState } from '../../../gateway/link/link.ts';
import { Kind, type Hello } from '../../../protocol/message.ts';
import { FakeAgent } from '../../support/fake-agent.ts';

const hello: Hello = {
  kind: Kind.Hello,
  protocolVersion: 1,
  agentName: 'pod-1',
  instanceId: 'i',
  pools: ['r1'],
  workerCount: 1,
  bound: [],
  held: [],
};
const POD: AgentIdentity = { agentName: 'pod-1', mayServe: (pool) => pool === 'r1', isSingleUse: true };

function openLinks(): LinkSet {
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: 1 });
  const nothing = () => assert.fail('nothing to adopt');
  links.listen({ onBoundSeatFound: () => false, onSeatFree: () => undefined, adoptCall: nothing });
  return links;
}

test('a secret proves an agent, anything else does not', () => {
  const authenticator = new SecretAuthenticator('secret');
  assert.equal(authenticator.authenticate('Bearer secret'), TRUSTED_AGENT);
  for (const header of ['', 'secret', 'Bearer', 'Bearer secre', 'Bearer secret ', 'bearer secret']) {
    assert.equal(authenticator.authenticate(header), undefined, header);
  }
});

test('an agent may have no other name and serve no other pool than it has proved', () => {
  assert.equal(refuseHello(hello, POD), undefined);
  assert.match(refuseHello({ ...hello, agentName: 'pod-2' }, POD)!, /name/);
  assert.match(refuseHello({ ...hello, pools: ['r1', 'r2'] }, POD)!, /pool r2/);
  assert.equal(refuseHello({ ...hello, agentName: 'x', pools: ['y'] }, TRUSTED_AGENT), undefined);
});

test('an agent may fetch the packages of targets bound to it, while they are', (t) => {
  const links = openLinks();
  t.after(() => links.close());
  const agent = new FakeAgent(links, { ...hello, pools: ['r1'] }).connect();
  const digest = 'd'.repeat(64);
  assert.equal(links.mayFetch('pod-1', digest), false);
  const target = {
    targetKey: 'f/0',
    pool: 'r1',
    packageDigest: digest,
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 1,
    loadTimeoutMs: 1,
    environment: {},
  };
  agent.link.bind(agent.link.seats[0]!, target, () => undefined);
  assert.equal(links.mayFetch('pod-1', digest), true);
  assert.equal(links.mayFetch('pod-1', 'e'.repeat(64)), false);
  assert.equal(links.mayFetch('pod-2', digest), false);
  agent.link.close('gone');
  assert.equal(links.mayFetch('pod-1', digest), false);
});

test('a gateway that leaves loses no call of agents that live on', (t) => {
  const links = openLinks();
  t.after(() => links.close());
  const agent = new FakeAgent(links, { ...hello }).connect();
  const lost: string[] = [];
  const call = {
    executionId: 'e',
    expiresAtMs: Number.POSITIVE_INFINITY,
    onResult: () => undefined,
    onNotReceived: () => lost.push('not received'),
    onLost: () => lost.push('lost'),
  };
  assert.equal(agent.link.tryInvoke(agent.link.seats[0]!, call, 1, Buffer.alloc(0)), true);
  links.leave();
  assert.deepEqual(lost, []);
  assert.equal(agent.isClosed, true);
  assert.equal(agent.link.state, LinkState.Closed);
});

test('an agent that has said that it leaves is gone with its socket', (t) => {
  const links = openLinks();
  t.after(() => links.close());
  const agent = new FakeAgent(links, { ...hello }).connect();
  agent.say({ kind: Kind.Drain });
  agent.lose();
  assert.equal([...links].length, 0);
});

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { GatewayLink, GatewayLinkState } from '../../agent/gateway-link.ts';
import { Kind, Outcome, type Bind, type Invoke, type Result } from '../../protocol/message.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { until } from '../support/fake-agent.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

const INVOKE: Invoke = {
  kind: Kind.Invoke,
  slot: 3,
  worker: 0,
  executionId: 'e3',
  timeoutMs: 1_000,
  input: Buffer.from('{}'),
};
const BIND: Bind = {
  kind: Kind.Bind,
  worker: 1,
  targetKey: 'f/0',
  pool: 'python3',
  packageDigest: 'd'.repeat(64),
  entry: 'main.main',
  cpuMillicores: 100,
  memoryBytes: 1,
  loadTimeoutMs: 1,
  environment: {},
};

function result(slot: number): Result {
  const bytes = { output: Buffer.from('1'), log: Buffer.alloc(0) };
  return { kind: Kind.Result, slot, outcome: Outcome.Returned, durationMicros: 1, ...bytes, isLogCut: false };
}

async function open(t: TestContext, tokens: () => string = () => 'secret') {
  const gateway = await FakeGateway.start(t);
  const told: unknown[] = [];
  let bound: [number, string][] = [];
  const lines: string[] = [];
  const log = { info: (text: string) => lines.push(text), warn: (text: string) => lines.push(text) };
  const link = new GatewayLink(
    { url: gateway.url, token: tokens, agentName: 'agent', pools: ['nodejs', 'python3'], workerCount: 4, log },
    {
      onWelcome: ({ concurrency }) => told.push(['welcome', concurrency]),
      onBind: ({ targetKey }) => told.push(['bind', targetKey]),
      onUnbind: (worker) => told.push(['unbind', worker]),
      onInvoke: ({ executionId }) => told.push(['invoke', executionId]),
      onFollow: (_worker, executionId) => told.push(['follow', executionId]),
      boundTargets: () => bound,
    },
  );
  t.after(() => link.close());
  link.connect();
  const connected = async (count: number) => {
    await until(() => gateway.connections.length === count && gateway.last!.hello !== undefined, `connection ${count}`);
    return gateway.last!;
  };
  const setBound = (targets: [number, string][]) => (bound = targets);
  return { gateway, link, told, lines, connected, setBound };
}

test('an agent says Hello with its token, and does what the gateway asks for', async (t) => {
  const { link, told, connected } = await open(t);
  const gateway = await connected(1);
  assert.equal(gateway.authorization, 'Bearer secret');
  const { instanceId, ...hello } = gateway.hello!;
  assert.match(instanceId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(hello, {
    kind: Kind.Hello,
    protocolVersion: PROTOCOL_VERSION,
    agentName: 'agent',
    pools: ['nodejs', 'python3'],
    workerCount: 4,
    bound: [],
    held: [],
  });
  assert.equal(link.state, GatewayLinkState.Greeting);

  gateway.welcome();
  gateway.say(BIND, INVOKE, { kind: Kind.Unbind, worker: 1 });
  await until(() => told.length === 4);
  assert.deepEqual(told, [
    ['welcome', 3],
    ['bind', 'f/0'],
    ['invoke', 'e3'],
    ['unbind', 1],
  ]);
  assert.equal(link.state, GatewayLinkState.Ready);
});

test('what is said before the Welcome is dropped, since Hello tells the same', async (t) => {
  const { link, connected } = await open(t);
  const gateway = await connected(1);
  link.send({ kind: Kind.Unbound, worker: 1 });
  gateway.welcome();
  await until(() => link.state === GatewayLinkState.Ready);
  link.send({ kind: Kind.Unbound, worker: 2 });
  await until(() => gateway.of(Kind.Unbound).length > 0);
  assert.deepEqual(
    gateway.of(Kind.Unbound).map(({ worker }) => worker),
    [2],
  );
});

test('an agent that lost its link comes back as the same one, with what it holds', async (t) => {
  const { link, connected, setBound } = await open(t);
  const first = await connected(1);
  first.welcome();
  first.say(INVOKE, { ...INVOKE, slot: 5, executionId: 'e5' });
  await until(() => link.state === GatewayLinkState.Ready);
  setBound([[1, 'f/0']]);
  first.lose();

  const second = await connected(2);
  assert.equal(second.hello!.instanceId, first.hello!.instanceId);
  assert.deepEqual(second.hello!.bound, [[1, 'f/0']]);
  assert.deepEqual(second.hello!.held, [
    [3, 'e3'],
    [5, 'e5'],
  ]);
});

test('a result is kept, told of in Hello and sent again until it is acknowledged', async (t) => {
  const { link, told, connected } = await open(t);
  const first = await connected(1);
  first.welcome();
  first.say(INVOKE);
  await until(() => told.length === 2);
  link.sendResult(result(3));
  await until(() => first.of(Kind.Result).length === 1);
  first.lose();

  const second = await connected(2);
  assert.deepEqual(second.hello!.held, [[3, 'e3']]);
  assert.equal(second.of(Kind.Result).length, 0, 'only after the Welcome');
  second.welcome();
  await until(() => second.of(Kind.Result).length === 1);
  assert.deepEqual(second.of(Kind.Result)[0], {
    ...result(3),
    output: second.of(Kind.Result)[0]!.output,
    log: second.of(Kind.Result)[0]!.log,
  });
  second.say({ kind: Kind.Ack, slots: [3, 99] });
  second.say({ ...INVOKE, slot: 4, executionId: 'e4' });
  await until(() => told.length === 4);
  second.lose();

  const third = await connected(3);
  assert.deepEqual(third.hello!.held, [[4, 'e4']]);
});

test('a result that comes while the link is away is sent when it is back', async (t) => {
  const { gateway, link, told, connected } = await open(t);
  const first = await connected(1);
  first.welcome();
  first.say(INVOKE);
  await until(() => told.length === 2);
  first.lose();
  await until(() => link.state === GatewayLinkState.Away);
  link.sendResult(result(3));
  gateway.welcomesAtOnce = true;
  const second = await connected(2);
  await until(() => second.of(Kind.Result).length === 1);
});

test('a result that nobody asked for is not sent', async (t) => {
  const { link, connected } = await open(t);
  const gateway = await connected(1);
  gateway.welcome();
  await until(() => link.state === GatewayLinkState.Ready);
  link.sendResult(result(9));
  link.send({ kind: Kind.Unbound, worker: 0 });
  await until(() => gateway.of(Kind.Unbound).length === 1);
  assert.deepEqual(gateway.of(Kind.Result), []);
});

test('an agent that is turned away tries again, with the token of the moment', async (t) => {
  let reads = 0;
  const { gateway, connected } = await open(t, () => `token ${++reads}`);
  gateway.refusals = 3;
  const connection = await connected(1);
  assert.deepEqual([gateway.refused, connection.authorization], [3, 'Bearer token 4']);
});

test('an agent waits longer after each failure, and not long after a success', async (t) => {
  t.mock.method(Math, 'random', () => 1); // no jitter: the full delay
  const delays: number[] = [];
  const { setTimeout: realSetTimeout } = globalThis;
  t.mock.method(globalThis, 'setTimeout', ((run: () => void, delayMs: number) => {
    const isReconnect = /agent\/gateway-link\.js:/.test(new Error('where').stack!);
    if (isReconnect) delays.push(delayMs);
    return realSetTimeout(run, isReconnect ? 1 : delayMs);
  }) as typeof setTimeout);
  const { gateway, link, connected } = await open(t);
  gateway.refusals = 8;
  const connection = await connected(1);
  assert.deepEqual(delays.splice(0), [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  connection.welcome();
  await until(() => link.state === GatewayLinkState.Ready);
  connection.lose();
  await connected(2);
  assert.deepEqual(delays, [100]);
});

test('a frame that breaks the protocol ends the connection, and the agent comes back', async (t) => {
  const { lines, connected } = await open(t);
  const first = await connected(1);
  first.welcome();
  first.sendBytes(Buffer.from('c1c1c1', 'hex'));
  await until(() => first.isClosed);
  await connected(2);
  assert.ok(
    lines.some((line) => line.includes('broke the protocol')),
    lines.join('\n'),
  );
});

test('a gateway that is silent is left, and looked for again', async (t) => {
  const { gateway, connected } = await open(t);
  const first = await connected(1);
  first.welcome({ silenceMs: 1 });
  await until(() => first.isClosed, 'the end of the silent connection');
  gateway.welcomesAtOnce = true;
  await connected(2);
});

test('pings of the gateway are signs of life', async (t) => {
  const { gateway, connected } = await open(t);
  const first = await connected(1);
  first.welcome({ silenceMs: 2_000 });
  const pinging = setInterval(() => first.ping(), 50);
  t.after(() => clearInterval(pinging));
  await new Promise((resolve) => setTimeout(resolve, 3_200)); // three checks of the agent: it must have done nothing
  assert.deepEqual([first.isClosed, gateway.connections.length], [false, 1]);
});

test('draining asks for no more work, also after a lost link, and ends with the last acknowledgement', async (t) => {
  const { gateway, link, told, connected } = await open(t);
  const first = await connected(1);
  first.welcome();
  first.say(INVOKE);
  await until(() => told.length === 2);
  let isDrained = false;
  const drained = link.drain(60_000).then(() => (isDrained = true));
  await until(() => first.of(Kind.Drain).length === 1);
  first.lose();
  gateway.welcomesAtOnce = true;
  const second = await connected(2);
  await until(() => second.of(Kind.Drain).length === 1);
  link.sendResult(result(3));
  await until(() => second.of(Kind.Result).length === 1);
  assert.equal(isDrained, false);
  second.say({ kind: Kind.Ack, slots: [3] });
  await drained;
});

test('draining without work ends at once, with work not later than it may', async (t) => {
  const { link, told, connected } = await open(t);
  const gateway = await connected(1);
  await link.drain(3_600_000);
  gateway.welcome();
  gateway.say(INVOKE);
  await until(() => told.length === 2);
  await link.drain(1);
});

test('a closed link stays closed', async (t) => {
  const { gateway, link, connected } = await open(t);
  const first = await connected(1);
  first.welcome();
  await until(() => link.state === GatewayLinkState.Ready);
  link.send({ kind: Kind.Unbound, worker: 2 });
  link.close();
  await until(() => first.isClosed);
  assert.equal(first.of(Kind.Unbound).length, 1, 'what was said before goes out');
  link.close();
  assert.deepEqual([link.state, gateway.connections.length], [GatewayLinkState.Closed, 1]);
});

test('a Welcome that comes too late opens no closed link again', async (t) => {
  const { gateway, link, told, connected } = await open(t);
  const first = await connected(1);
  first.welcome();
  link.close(); // the Welcome is on its way
  await until(() => first.isClosed);
  await new Promise((resolve) => setTimeout(resolve, 300)); // longer than the wait before the first try to come back
  assert.deepEqual([link.state, gateway.connections.length, told], [GatewayLinkState.Closed, 1, []]);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { internalRoutes } from '../../../gateway/api/internal.ts';
import { Cors } from '../../../gateway/http/cors.ts';
import { HttpServer } from '../../../gateway/http/server.ts';
import { SecretAuthenticator } from '../../../gateway/link/agent-identity.ts';
import { LinkSet } from '../../../gateway/link/link-set.ts';
import { LinkState } from '../../../gateway/link/link.ts';
import { acceptLinks } from '../../../gateway/link/socket.ts';
import { decodeFrame, encodeMessage } from '../../../protocol/codec.ts';
import { Kind, type Hello, type Message } from '../../../protocol/message.ts';
import { until } from '../../support/fake-agent.ts';
import { emptyFolder } from '../../support/folder.ts';

const TOKEN = 'the-right-token';
const DIGEST = 'd'.repeat(64);
const HELLO: Hello = {
  kind: Kind.Hello,
  protocolVersion: 1,
  agentName: 'agent',
  instanceId: 'instance',
  pools: ['python3'],
  workerCount: 2,
  bound: [],
  held: [],
};

/** The internal listener with no package in it; agents of any kind may come. */
async function open(t: TestContext, silenceMs?: number) {
  const links = new LinkSet({ maxOutputBytes: 1_000, concurrency: 3 });
  links.listen({
    onBoundSeatFound: () => false,
    onSeatFree: () => undefined,
    adoptCall: () => assert.fail('nothing to adopt'),
  });
  const warnings: string[] = [];
  const authenticator = new SecretAuthenticator(TOKEN);
  const mayFetch = async (authorization: string) => authenticator.authenticate(authorization) !== undefined;
  const log = { warn: (text: string) => void warnings.push(text), debug: () => undefined };
  const asked: string[] = [];
  const openTar = (digest: string) => {
    asked.push(digest);
    return Promise.resolve(undefined);
  };
  const server = new HttpServer({
    maxBodyBytes: 1_000,
    uploads: { directory: emptyFolder(t), maxFileBytes: 1 },
    isBehindProxy: false,
    onFault: () => undefined,
    routes: internalRoutes({ mayFetch, isReady: () => true, openTar }),
    cors: new Cors({ allowedOrigins: [], isOpen: false, isLoopbackOnly: false }),
    extend: (app) => acceptLinks(app, links, { authenticator, log, ...(silenceMs === undefined ? {} : { silenceMs }) }),
  });
  await server.listen('127.0.0.1', 0);
  t.after(() => {
    links.close();
    server.close();
  });
  const dial = (authorization: string | undefined, options: { autoPong?: boolean } = {}) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/agent`, { headers, ...options });
    t.after(() => socket.terminate());
    return socket;
  };
  const connect = async (options: { autoPong?: boolean } = {}) => {
    const socket = dial(`Bearer ${TOKEN}`, options);
    const received: Message[] = [];
    socket.on('message', (data) => received.push(...decodeFrame(data as Buffer)));
    await once(socket, 'open');
    return { socket, received, say: (message: Message) => socket.send(encodeMessage(message)) };
  };
  return { links, warnings, asked, dial, connect, url: `http://127.0.0.1:${server.port}` };
}

const WRONG = [
  undefined,
  '',
  TOKEN,
  'Bearer',
  'Bearer ',
  `Bearer ${TOKEN}x`,
  `Bearer ${TOKEN.toUpperCase()}`,
  `Basic ${TOKEN}`,
];

test('a wrong token never reaches the protocol', async (t) => {
  const { links, dial, warnings } = await open(t);
  for (const authorization of WRONG) {
    const socket = dial(authorization);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 401, String(authorization));
    socket.on('error', () => undefined);
  }
  assert.deepEqual([[...links], warnings], [[], []]);
});

test('a wrong token gets no package, and learns of none', async (t) => {
  const { url, asked } = await open(t);
  for (const authorization of WRONG) {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    for (const digest of [DIGEST, 'x', '..%2Fqinling.sqlite']) {
      const { status } = await fetch(`${url}/packages/${digest}`, { headers });
      assert.equal(status, 403);
    }
  }
  assert.deepEqual(asked, []);
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await fetch(`${url}/packages/..%2Fqinling.sqlite`, { headers })).status, 404);
  assert.deepEqual(asked, [], 'what is no digest is not looked for');
  assert.equal((await fetch(`${url}/packages/${DIGEST}`, { headers })).status, 404);
  assert.deepEqual(asked, [DIGEST]);
});

test('an agent with the right token is welcomed, and its lost socket noticed', async (t) => {
  const { links, connect } = await open(t);
  const { socket, received, say } = await connect();
  say(HELLO);
  await until(() => received.length === 1);
  const [welcome] = received;
  assert.ok(welcome?.kind === Kind.Welcome);
  assert.deepEqual([welcome.silenceMs, welcome.concurrency], [24_000, 3]);
  const [link] = [...links];
  assert.deepEqual([link?.agentName, link?.state], ['agent', LinkState.Ready]);
  socket.terminate();
  await until(() => link?.state === LinkState.Away);
});

const BROKEN: [string, Buffer | string, number][] = [
  ['text', 'hello', 1003],
  ['bytes that are no message', Buffer.from('c1', 'hex'), 1002],
  ['anything before Hello', encodeMessage({ kind: Kind.Drain }), 1002],
  ['a Hello that lacks fields', Buffer.from('9201', 'hex'), 1002],
  ['a Hello of an older protocol', encodeMessage({ ...HELLO, protocolVersion: 0 }), 1002],
  ['a Hello of too many workers', encodeMessage({ ...HELLO, workerCount: 1_025 }), 1002],
  ['a Hello without a name', encodeMessage({ ...HELLO, agentName: '' }), 1002],
  ['a Hello without an instance', encodeMessage({ ...HELLO, instanceId: '' }), 1002],
];
for (const [what, bytes, code] of BROKEN) {
  test(`an agent that says ${what} is cut off, and no other`, async (t) => {
    const { links, connect } = await open(t);
    const good = await connect();
    good.say(HELLO);
    await until(() => good.received.length === 1);
    const { socket } = await connect();
    socket.send(bytes);
    const [seen] = (await once(socket, 'close')) as [number];
    assert.equal(seen, code);
    assert.deepEqual(
      [...links].map(({ state }) => state),
      [LinkState.Ready],
    );
    assert.equal(good.socket.readyState, WebSocket.OPEN);
  });
}

test('a Hello of a newer protocol is welcomed', async (t) => {
  const { connect } = await open(t);
  const { received, say } = await connect();
  say({ ...HELLO, protocolVersion: 9 });
  await until(() => received.length === 1);
});

test('nothing that an agent says after Hello does harm', async (t) => {
  const { links, connect } = await open(t);
  const number = fc.oneof(fc.nat(3), fc.constantFrom(1_023, 65_535, 65_536, 2 ** 31, Number.MAX_SAFE_INTEGER));
  const bytes = fc.uint8Array({ maxLength: 8 }).map((array) => Buffer.from(array));
  const text = fc.string({ maxLength: 8 });
  const message = fc.oneof(
    fc.record({ kind: fc.constant(Kind.Bound), worker: number, targetKey: text }),
    fc.record({
      kind: fc.constant(Kind.BindFailed),
      worker: number,
      targetKey: text,
      fault: fc.nat(9),
      outcome: fc.nat(9),
      output: bytes,
      log: bytes,
      reason: text,
    }),
    fc.record({ kind: fc.constant(Kind.Unbound), worker: number }),
    fc.record({
      kind: fc.constant(Kind.Result),
      slot: number,
      outcome: fc.nat(9),
      durationMicros: number,
      output: bytes,
      log: bytes,
      isLogCut: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant(Kind.Hello),
      protocolVersion: number,
      agentName: text,
      instanceId: text,
      pools: fc.array(text),
      workerCount: number,
      bound: fc.array(fc.tuple(number, text)),
      held: fc.array(fc.tuple(number, text)),
    }),
    fc.record({ kind: fc.constant(Kind.Ack), slots: fc.array(number) }),
  );
  const { socket, received, say } = await connect();
  say(HELLO);
  await until(() => received.length === 1);
  for (const one of fc.sample(message, 1_000)) say(one as Message);
  const [link] = [...links];
  say({ kind: Kind.Drain });
  await until(() => link?.state === LinkState.Draining, 'the message behind all others');
  assert.equal(socket.readyState, WebSocket.OPEN);
  assert.equal(links.dump() instanceof Array, true);
});

test('an agent that is silent is cut off; one that answers pings is not', async (t) => {
  const { links, connect } = await open(t, 8_000);
  const silent = await connect({ autoPong: false });
  silent.say({ ...HELLO, agentName: 'silent', instanceId: 'silent' });
  const lively = await connect();
  lively.say({ ...HELLO, agentName: 'lively', instanceId: 'lively' });
  await until(() => [...links].length === 2);
  await once(silent.socket, 'close');
  const states = Object.fromEntries([...links].map(({ agentName, state }) => [agentName, state]));
  assert.deepEqual(states, { silent: LinkState.Away, lively: LinkState.Ready });
});

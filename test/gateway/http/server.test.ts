import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { QinlingError } from '../../../gateway/errors.ts';
import type { Exchange } from '../../../gateway/http/exchange.ts';
import { until } from '../../support/fake-agent.ts';
import { route, startHttpServer } from '../../support/http-rig.ts';

const ERROR_KEYS = ['faultcode', 'faultstring', 'debuginfo'];

const showParameters = (exchange: Exchange) => exchange.sendJson(200, exchange.parameters);
const THINGS = [
  route('GET', '/', (exchange) => exchange.sendJson(200, 'root')),
  route('GET', '/v1/things', (exchange) => exchange.sendJson(200, ['list'])),
  route('POST', '/v1/things', (exchange) => exchange.send(204)),
  route('GET', '/v1/things/:id', showParameters),
  route('DELETE', '/v1/things/:id', showParameters),
  route('GET', '/v1/things/:id/parts/:part', showParameters),
];

test('trailing and repeated slashes do not count', async (t) => {
  const { url, connect } = await startHttpServer(t, THINGS);
  const things = ['/v1/things', '/v1/things/', '/v1//things', '//v1///things//', '/v1/things//?'];
  for (const path of things) assert.deepEqual(await (await fetch(url + path)).json(), ['list'], path);
  for (const path of ['/v1/things/a', '/v1/things/a/', '//v1//things//a//']) {
    assert.deepEqual(await (await fetch(url + path)).json(), ['a'], path);
  }
  assert.deepEqual(await (await fetch(`${url}/v1/things/a/parts/b/`)).json(), ['a', 'b']);
  const connection = await connect(); // `fetch` cannot ask for these
  for (const path of ['/', '//', '/?']) {
    connection.request(`GET ${path} HTTP/1.1`);
    assert.equal((await connection.answer()).text, '"root"', path);
  }
});

test('a parameter is percent-decoded; one that is encoded wrongly is refused', async (t) => {
  const { connect } = await startHttpServer(t, THINGS);
  const connection = await connect();
  const good: [string, string][] = [
    ['a%20b', 'a b'],
    ['%C3%BC', 'ü'],
    ['a%2Fb', 'a/b'],
    ['a+b', 'a+b'],
    ['%61', 'a'],
    ['a%00b', 'a\0b'],
  ];
  for (const [sent, seen] of good) {
    connection.request(`GET /v1/things/${sent} HTTP/1.1`);
    assert.deepEqual((await connection.answer()).json, [seen]);
  }
  for (const sent of ['%', '%zz', 'a%2', '%C3%28', '%ff']) {
    connection.request(`GET /v1/things/${sent} HTTP/1.1`);
    const answer = await connection.answer();
    assert.equal(answer.status, 400, sent);
    assert.match(String(answer.json['faultstring']), /percent/);
  }
});

test('an unknown path is not found, whatever the method', async (t) => {
  const { url } = await startHttpServer(t, THINGS);
  for (const path of ['/v2', '/v1/thing', '/v1/things.json', '/v1/things/a/b', '/v1/things/a/parts', '/V1/things']) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await fetch(url + path, { method });
      assert.equal(answer.status, 404, `${method} ${path}`);
      assert.equal(answer.headers.get('content-type'), 'application/json');
      assert.deepEqual(await answer.json(), {
        faultcode: 'Client',
        faultstring: 'The resource could not be found.',
        debuginfo: null,
      });
    }
  }
});

test('a method that a path does not have is refused, with those that it has', async (t) => {
  const { url } = await startHttpServer(t, THINGS);
  const cases: [string, string, string][] = [
    ['PUT', '/v1/things', 'GET, POST, HEAD'],
    ['DELETE', '/v1//things/', 'GET, POST, HEAD'],
    ['PATCH', '/v1/things/a', 'GET, DELETE, HEAD'],
    ['POST', '/v1/things/a', 'GET, DELETE, HEAD'],
    ['BREW', '/v1/things/a', 'GET, DELETE, HEAD'],
    ['POST', '/', 'GET, HEAD'],
  ];
  for (const [method, path, allowed] of cases) {
    const answer = await fetch(url + path, { method });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers.get('allow'), allowed);
    const body = (await answer.json()) as Record<string, unknown>;
    assert.deepEqual([Object.keys(body), body['faultcode']], [ERROR_KEYS, 'Client']);
  }
});

test('HEAD answers like GET, without a body', async (t) => {
  const { url, connect } = await startHttpServer(t, THINGS);
  const connection = await connect();
  for (const path of ['/v1/things', '/v1/things/a', '/v1/unknown', '/v1/things/%zz']) {
    const get = await fetch(url + path);
    const text = await get.text();
    connection.request(`HEAD ${path} HTTP/1.1`);
    const head = await connection.answer(true);
    assert.equal(head.status, get.status, path);
    assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(text)));
    assert.equal(head.headers.get('content-type'), get.headers.get('content-type'));
  }
});

test('an error of ours says nothing of the inside, and is told to who looks after the service', async (t) => {
  const secret = new Error('SQLITE_ERROR: no such column: password at /srv/store.ts:12');
  const thrown: [unknown, number, string][] = [
    [secret, 500, 'Internal server error.'],
    [new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause: secret }), 503, 'recorded.'],
    ['a text', 500, 'Internal server error.'],
    [undefined, 500, 'Internal server error.'],
  ];
  const routes = thrown.flatMap(([fault], index) => [
    route('GET', `/throws/${index}`, () => {
      throw fault;
    }),
    route('GET', `/rejects/${index}`, async () => {
      await new Promise(setImmediate);
      throw fault;
    }),
    route('GET', `/parts/${index}`, (exchange) =>
      exchange.sendParts(
        200,
        // eslint-disable-next-line require-yield -- the fault comes before the first part
        (async function* (): AsyncIterable<string> {
          throw fault;
        })(),
      ),
    ),
  ]);
  const { url, faults } = await startHttpServer(t, routes);
  for (const [index, [fault, status, text]] of thrown.entries()) {
    for (const way of ['throws', 'rejects', 'parts']) {
      const answer = await fetch(`${url}/${way}/${index}`);
      const body = await answer.text();
      assert.equal(answer.status, status);
      assert.equal(answer.headers.get('content-type'), 'application/json');
      assert.match(body, new RegExp(`^{"faultcode":"Server","faultstring":"[^"]*${text}","debuginfo":null}$`));
      assert.doesNotMatch(body, /SQLITE|password|store\.ts|node_modules/);
      const [told] = faults.splice(0);
      const root = fault instanceof QinlingError ? fault.cause : fault;
      assert.equal(told?.cause instanceof QinlingError ? told.cause.cause : told?.cause, root);
      assert.match(told!.message, new RegExp(`^GET /${way}/${index}: `));
    }
  }
});

test('a refusal that may be tried again says when', async (t) => {
  const { url } = await startHttpServer(t, [
    route('GET', '/busy', () => {
      throw new QinlingError('NO_FREE_WORKER', 'No worker is free.', { retryAfterSeconds: 7 });
    }),
  ]);
  const answer = await fetch(`${url}/busy`);
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '7']);
  const body = { faultcode: 'Server', faultstring: 'No worker is free.', debuginfo: null };
  assert.deepEqual(await answer.json(), body);
});

test('an answer that breaks off in the middle is seen to be cut', async (t) => {
  const breaking = async function* () {
    yield '[1';
    throw new Error('the disk is gone');
  };
  const { connect, faults } = await startHttpServer(t, [
    route('GET', '/parts', (exchange) => exchange.sendParts(200, breaking())),
    route('GET', '/short', (exchange) => exchange.sendStream(200, {}, 10, streamOf('four'))),
  ]);
  for (const path of ['/parts', '/short']) {
    const connection = await connect();
    connection.request(`GET ${path} HTTP/1.1`);
    await assert.rejects(connection.answer(), /ended in the middle/);
    assert.match(faults.pop()!.message, /the answer broke off/);
  }
});

test('a stream that holds more than was promised is cut to it', async (t) => {
  const { connect } = await startHttpServer(t, [
    route('GET', '/long', (exchange) => exchange.sendStream(200, {}, 4, streamOf('four and more'))),
  ]);
  const connection = await connect();
  for (let times = 0; times < 2; times++) {
    connection.request('GET /long HTTP/1.1');
    assert.equal((await connection.answer()).text, 'four');
  }
});

test('a draining server lets what runs end, and turns new work away', async (t) => {
  const held: Exchange[] = [];
  const { server, connect, port } = await startHttpServer(t, [
    route('GET', '/slow', (exchange) => void held.push(exchange)),
    route('GET', '/quick', (exchange) => exchange.sendJson(200, 1)),
  ]);
  const [slow, other, third] = [await connect(), await connect(), await connect()];
  other.request('GET /quick HTTP/1.1');
  await other.answer();
  slow.request('GET /slow HTTP/1.1');
  await until(() => held.length === 1);
  let isDrained = false;
  const drained = server.drain(60_000).then(() => (isDrained = true));

  other.request('GET /quick HTTP/1.1');
  const refused = await other.answer();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('connection')?.toLowerCase(), 'close');
  assert.equal(refused.headers.get('retry-after'), '5');
  assert.deepEqual(Object.keys(refused.json), ERROR_KEYS);
  assert.equal(await other.ended(), '');
  third.request('HEAD /quick HTTP/1.1');
  assert.equal((await third.answer(true)).status, 503);
  assert.equal(await third.ended(), '');
  const newcomer = await connect();
  newcomer.send('POST /quick HTTP/1.1\nHost: localhost\nContent-Length: 4\n\n');
  await until(() => server.openExchanges === 2);
  newcomer.send('body'); // bytes that come behind the end of a connection would reset it
  assert.equal((await newcomer.answer()).status, 503);
  assert.equal(await newcomer.ended(), '');
  const talker = await connect();
  talker.send('POST /quick HTTP/1.1\nHost: localhost\nContent-Length: 10000000\n\n');
  assert.equal((await talker.answer()).status, 503, 'much is not waited for');
  assert.equal(isDrained, false);

  held[0]!.sendJson(200, 'done');
  assert.equal((await slow.answer()).text, '"done"');
  await drained;
  assert.equal(server.openExchanges, 0);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/quick`), 'the port is closed');
});

test('a request that is on its way when a server ends is turned away in words', async (t) => {
  const { server, connect } = await startHttpServer(t, [route('GET', '/quick', (exchange) => exchange.send(204))]);
  const connection = await connect();
  connection.request('GET /quick HTTP/1.1');
  await connection.answer();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const ended = server.drain(60_000).then(() => server.close());
  connection.request('GET /quick HTTP/1.1');
  assert.equal((await connection.answer()).status, 503);
  const ticks = setInterval(() => t.mock.timers.runAll(), 1);
  await ended;
  clearInterval(ticks);
});

test('draining waits no longer than it may', async (t) => {
  const { server, connect } = await startHttpServer(t, [route('GET', '/never', () => undefined)]);
  const connection = await connect();
  connection.request('GET /never HTTP/1.1');
  await until(() => server.openExchanges === 1);
  await server.drain(1);
  assert.equal(server.openExchanges, 1);
  server.close();
  assert.equal(await connection.ended(), '');
  server.close();
});

test('a port that is taken is refused in one line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { server } = await startHttpServer(t, []);
  await assert.rejects(server.listen('127.0.0.1', port), {
    message: `cannot listen on 127.0.0.1:${port}: the port is taken or the address is not ours`,
  });
});

test('two servers do not share a port', async (t) => {
  const first = await startHttpServer(t, []);
  const second = await startHttpServer(t, []);
  await assert.rejects(second.server.listen('127.0.0.1', first.port), /is taken/);
});

test('bytes that are no HTTP end their own connection only', async (t) => {
  const { connect, url } = await startHttpServer(t, THINGS);
  const garbage = [
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET\n\n',
    'GET /v1/things SPDY/3\nHost: x\n\n',
    'POST /v1/things HTTP/1.1\nHost: localhost\nContent-Length: five\n\n12345',
    'POST /v1/things HTTP/1.1\nHost: localhost\nContent-Length: -1\n\n',
    'POST /v1/things HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\nzz\n\n',
  ];
  for (const bytes of garbage) {
    const connection = await connect();
    connection.send(bytes);
    assert.match(await connection.ended(), /^HTTP\/1\.1 (400|505) /, bytes);
  }
  assert.equal((await fetch(`${url}/v1/things`)).status, 200);
});

async function openBaseUrl(t: TestContext, isBehindProxy: boolean) {
  const routes = [route('GET', '/', (exchange) => exchange.send(200, exchange.baseUrl, 'text/plain'))];
  const { connect } = await startHttpServer(t, routes, { isBehindProxy });
  const connection = await connect();
  return async (headers: string) => {
    connection.send(`GET / HTTP/1.1\n${headers}\n\n`);
    return (await connection.answer()).text;
  };
}

test('links name the host that the client asked for', async (t) => {
  const baseUrl = await openBaseUrl(t, false);
  assert.equal(await baseUrl('Host: localhost:7070'), 'http://localhost:7070');
  const forged = 'Host: localhost\nX-Forwarded-Host: evil.example\nX-Forwarded-Proto: https\nX-Forwarded-Prefix: /x';
  assert.equal(await baseUrl(forged), 'http://localhost');
});

test('behind a proxy that is believed, links name what the proxy says', async (t) => {
  const baseUrl = await openBaseUrl(t, true);
  const forwarded = 'X-Forwarded-Host: api.example\nX-Forwarded-Proto: https\nX-Forwarded-Prefix: /qinling/';
  assert.equal(await baseUrl(`Host: localhost\n${forwarded}`), 'https://api.example/qinling');
  assert.equal(await baseUrl('Host: localhost:1'), 'http://localhost:1');
});

function streamOf(text: string) {
  return Readable.from([Buffer.from(text)]);
}

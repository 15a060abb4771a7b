import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { invalidInput } from '../../../gateway/errors.ts';
import { route, startHttpServer } from '../../support/http-rig.ts';
import type { RawAnswer, RawConnection } from '../../support/raw-http.ts';

const BIG = Buffer.alloc(3 * 1024 * 1024, 'abc');

async function* pieces(...texts: readonly string[]) {
  for (const text of texts) yield text;
}

/** Every kind of answer that the service gives. */
const ROUTES = [
  route('GET', '/text', (exchange) => exchange.sendJson(200, { hello: 'world' })),
  route('GET', '/empty', (exchange) => exchange.send(200, '', 'text/plain; charset=UTF-8')),
  route('POST', '/made', async (exchange) => exchange.sendJson(201, await exchange.json('thing'))),
  route('POST', '/accepted', (exchange) => exchange.send(202)),
  route('DELETE', '/gone', (exchange) => exchange.send(204)),
  route('DELETE', '/later', async (exchange) => {
    await new Promise(setImmediate);
    exchange.send(204);
  }),
  route('GET', '/stream', (exchange) =>
    exchange.sendStream(200, { 'Content-Type': 'application/zip' }, BIG.length, Readable.from([BIG])),
  ),
  route('GET', '/nothing', (exchange) => exchange.sendStream(200, {}, 0, Readable.from([]))),
  route('GET', '/parts', (exchange) => exchange.sendParts(200, pieces('[1', ', 2', ']'))),
  route('GET', '/no-parts', (exchange) => exchange.sendParts(200, pieces())),
  route('GET', '/fault', () => {
    throw new Error('SELECT secret FROM table');
  }),
  route('GET', '/refused', async () => {
    throw invalidInput('no');
  }),
];

interface Step {
  readonly what: string;
  readonly send: (connection: RawConnection) => void;
  readonly isHead?: boolean;
  readonly check: (answer: RawAnswer) => void;
}

const get = (path: string) => (connection: RawConnection) => connection.request(`GET ${path} HTTP/1.1`);
const head = (path: string) => (connection: RawConnection) => connection.request(`HEAD ${path} HTTP/1.1`);
const status = (wanted: number) => (answer: RawAnswer) => assert.equal(answer.status, wanted, answer.text);

const STEPS: readonly Step[] = [
  { what: 'a JSON answer', send: get('/text'), check: ({ text }) => assert.equal(text, '{"hello":"world"}') },
  {
    what: 'an answer without a text',
    send: get('/empty'),
    check: ({ headers }) => assert.equal(headers.get('content-length'), '0'),
  },
  {
    what: 'a 201',
    send: (connection) =>
      connection.request('POST /made HTTP/1.1\nContent-Type: application/json', '{"a": [1, "\u00fc"]}'),
    check: (answer) => assert.deepEqual([answer.status, answer.json], [201, { a: [1, 'ü'] }]),
  },
  {
    what: 'a 201 to a chunked body',
    send: (connection) => {
      const head = 'POST /made HTTP/1.1\nContent-Type: application/json\nTransfer-Encoding: chunked';
      connection.request(head);
      connection.send('3\n{"a\n5\n": 1}\n0\n\n');
    },
    check: (answer) => assert.deepEqual([answer.status, answer.json], [201, { a: 1 }]),
  },
  {
    what: 'a 202',
    send: (connection) => connection.request('POST /accepted HTTP/1.1', ''),
    check: ({ status, headers }) => {
      assert.deepEqual([status, headers.get('content-length')], [202, '0']);
      assert.equal(headers.has('content-type'), false);
    },
  },
  {
    what: 'a 204',
    send: (connection) => connection.request('DELETE /gone HTTP/1.1'),
    check: ({ status, headers }) => {
      assert.equal(status, 204);
      assert.equal(headers.has('content-length') || headers.has('content-type'), false);
    },
  },
  {
    what: 'a 204 of a later turn',
    send: (connection) => connection.request('DELETE /later HTTP/1.1'),
    check: status(204),
  },
  {
    what: 'a long stream',
    send: get('/stream'),
    check: ({ headers, body, isChunked }) => {
      assert.deepEqual([headers.get('content-length'), isChunked], [String(BIG.length), false]);
      assert.ok(body.equals(BIG));
    },
  },
  { what: 'an empty stream', send: get('/nothing'), check: ({ body }) => assert.equal(body.length, 0) },
  {
    what: 'a chunked answer',
    send: get('/parts'),
    check: ({ text, isChunked, headers }) => {
      assert.deepEqual([text, isChunked], ['[1, 2]', true]);
      assert.equal(headers.get('content-type'), 'application/json');
    },
  },
  { what: 'a chunked answer of no parts', send: get('/no-parts'), check: ({ text }) => assert.equal(text, '') },
  { what: 'a refusal', send: get('/refused'), check: status(400) },
  { what: 'a fault of ours', send: get('/fault'), check: status(500) },
  { what: 'an unknown path', send: get('/unknown'), check: status(404) },
  { what: 'a wrong method', send: (connection) => connection.request('PUT /text HTTP/1.1', '{}'), check: status(405) },
  {
    what: 'a refused type',
    send: (connection) => connection.request('POST /made HTTP/1.1\nContent-Type: text/plain', 'x'),
    check: status(415),
  },
  {
    what: 'a body that is too large',
    send: (connection) =>
      connection.request('POST /made HTTP/1.1\nContent-Type: application/json', JSON.stringify('x'.repeat(100_000))),
    check: status(413),
  },
  {
    what: 'a chunked body that is too large',
    send: (connection) => {
      connection.request('POST /made HTTP/1.1\nContent-Type: application/json\nTransfer-Encoding: chunked');
      for (let count = 0; count < 50; count++) connection.send(`400\n${'x'.repeat(0x400)}\n`);
      connection.send('0\n\n');
    },
    check: status(413),
  },
  { what: 'OPTIONS', send: (connection) => connection.request('OPTIONS /text HTTP/1.1'), check: status(200) },
  { what: 'HEAD', send: head('/text'), isHead: true, check: status(200) },
  { what: 'HEAD of a stream', send: head('/stream'), isHead: true, check: status(200) },
  { what: 'HEAD of a chunked answer', send: head('/parts'), isHead: true, check: status(200) },
  { what: 'HEAD of a refusal', send: head('/refused'), isHead: true, check: status(400) },
  { what: 'HEAD of an unknown path', send: head('/unknown'), isHead: true, check: status(404) },
];

for (const { what, send, isHead = false, check } of STEPS) {
  test(`a connection lives on after ${what}`, async (t) => {
    const { connect } = await startHttpServer(t, ROUTES);
    const connection = await connect();
    for (let times = 0; times < 3; times++) {
      send(connection);
      const answer = await connection.answer(isHead);
      check(answer);
      assert.notEqual(answer.headers.get('connection')?.toLowerCase(), 'close');
    }
    connection.request('GET /text HTTP/1.1');
    assert.equal((await connection.answer()).text, '{"hello":"world"}');
  });
}

test('one connection takes every kind of answer after each other', async (t) => {
  const { connect } = await startHttpServer(t, ROUTES);
  const connection = await connect();
  for (const first of STEPS) {
    for (const { what, send, isHead = false, check } of [first, ...STEPS.slice(0, 6)]) {
      send(connection);
      const answer = await connection.answer(isHead);
      assert.doesNotThrow(() => check(answer), `${what} after ${first.what}`);
    }
  }
});

test('a client that asks for the end of its connection gets it with the answer', async (t) => {
  const { connect } = await startHttpServer(t, ROUTES);
  for (const path of ['GET /text', 'DELETE /gone', 'GET /parts', 'GET /stream', 'HEAD /text']) {
    const connection = await connect();
    connection.request(`${path} HTTP/1.1\nConnection: close`);
    await connection.answer(path.startsWith('HEAD'));
    assert.equal(await connection.ended(), '', path);
  }
});

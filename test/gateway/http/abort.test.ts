import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readable } from 'node:stream';
import type { Exchange } from '../../../gateway/http/exchange.ts';
import { until } from '../../support/fake-agent.ts';
import { route, startHttpServer } from '../../support/http-rig.ts';

/** More than the system's buffers of a connection take. */
const MORE_THAN_BUFFERED = 64 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 'x');

const ENDS = ['destroy', 'reset'] as const;

for (const end of ENDS) {
  test(`a client that goes in the middle of its JSON body leaves nothing behind (${end})`, async (t) => {
    const { server, connect, faults, url } = await startHttpServer(t, [
      route('POST', '/json', async (exchange) => exchange.sendJson(200, await exchange.json('thing'))),
      route('GET', '/', (exchange) => exchange.send(204)),
    ]);
    const connection = await connect();
    connection.send('POST /json HTTP/1.1\nHost: localhost\nContent-Length: 100\n\n{"a":');
    await until(() => server.openExchanges === 1);
    connection[end]();
    await until(() => server.openExchanges === 0);
    assert.deepEqual(faults, []);
    assert.equal((await fetch(url)).status, 204);
  });

  test(`a client that goes in the middle of its upload leaves no file (${end})`, async (t) => {
    const handled: unknown[] = [];
    const { server, connect, faults, received } = await startHttpServer(
      t,
      [
        route('POST', '/form', async (exchange) => {
          await exchange.form().then(
            (form) => handled.push(form),
            (error: unknown) => handled.push(error),
          );
        }),
      ],
      { maxFileBytes: 10_000_000 },
    );
    for (const kind of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
      const connection = await connect();
      connection.send(
        `POST /form HTTP/1.1\nHost: localhost\nContent-Type: multipart/form-data; boundary=b\n${kind}\n\n`,
      );
      const head = '--b\r\nContent-Disposition: form-data; name="package"; filename="p"\r\n\r\n';
      const body = head + 'x'.repeat(100_000);
      connection.send(kind.startsWith('T') ? `${body.length.toString(16)}\n${body}\n` : body);
      await until(() => received().length === 1, 'a file of the upload');
      connection[end]();
      await until(() => handled.length === 1);
      assert.ok(handled.pop() instanceof Error);
      await until(() => received().length === 0 && server.openExchanges === 0);
    }
    assert.deepEqual(faults, []);
  });

  test(`a client that goes before its answer is not written to (${end})`, async (t) => {
    const held: Exchange[] = [];
    const { server, connect, url } = await startHttpServer(t, [
      route('GET', '/slow', (exchange) => void held.push(exchange)),
      route('GET', '/', (exchange) => exchange.send(204)),
    ]);
    const answers: ((exchange: Exchange) => unknown)[] = [
      (exchange) => exchange.sendJson(200, 'late'),
      (exchange) => exchange.sendError(new Error('late')),
      (exchange) => exchange.sendParts(200, Readable.from(['late'])),
      (exchange) => exchange.sendStream(200, {}, 4, Readable.from([Buffer.from('late')])),
    ];
    for (const answer of answers) {
      const connection = await connect();
      connection.request('GET /slow HTTP/1.1');
      await until(() => held.length === 1);
      const exchange = held.pop()!;
      assert.equal(exchange.signal.aborted, false);
      connection[end]();
      await until(() => exchange.signal.aborted);
      assert.deepEqual([server.openExchanges, exchange.isAnswered], [0, true]);
      await answer(exchange);
    }
    assert.equal((await fetch(url)).status, 204);
  });

  test(`a client that goes in the middle of its answer ends what makes it (${end})`, async (t) => {
    let openStreams = 0;
    const endless = async function* () {
      openStreams++;
      try {
        for (;;) yield CHUNK.toString();
      } finally {
        openStreams--;
      }
    };
    const endlessBytes = () => {
      openStreams++;
      const stream = new Readable({ read: () => void stream.push(CHUNK) });
      stream.once('close', () => openStreams--);
      return stream;
    };
    const { server, connect, faults } = await startHttpServer(t, [
      route('GET', '/parts', (exchange) => exchange.sendParts(200, endless())),
      route('GET', '/stream', (exchange) => exchange.sendStream(200, {}, Number.MAX_SAFE_INTEGER, endlessBytes())),
    ]);
    for (const path of ['/parts', '/stream']) {
      const connection = await connect();
      connection.request(`GET ${path} HTTP/1.1`);
      await until(() => openStreams === 1);
      connection[end]();
      await until(() => openStreams === 0 && server.openExchanges === 0, `the end of ${path}`);
    }
    assert.deepEqual(faults, []);
  });
}

test('an answer waits for a client that reads slowly', async (t) => {
  let made = 0;
  const counted = async function* () {
    while (made < MORE_THAN_BUFFERED) {
      made += CHUNK.length;
      yield CHUNK.toString();
    }
  };
  const countedBytes = () =>
    Readable.from(
      (async function* () {
        for await (const text of counted()) yield Buffer.from(text);
      })(),
    );
  const { connect } = await startHttpServer(t, [
    route('GET', '/parts', (exchange) => exchange.sendParts(200, counted())),
    route('GET', '/stream', (exchange) => exchange.sendStream(200, {}, MORE_THAN_BUFFERED, countedBytes())),
  ]);
  for (const path of ['/parts', '/stream']) {
    made = 0;
    const connection = await connect();
    connection.pause();
    connection.request(`GET ${path} HTTP/1.1`);
    await until(() => made > 0);
    for (let before = -1; before !== made; await new Promise((resolve) => setTimeout(resolve, 200))) before = made;
    assert.ok(made < MORE_THAN_BUFFERED / 2, `${made} bytes were made for a client that reads nothing`);
    connection.resume();
    const { body } = await connection.answer();
    assert.equal(body.length, MORE_THAN_BUFFERED);
    assert.ok(body.every((byte) => byte === 0x78));
  }
});

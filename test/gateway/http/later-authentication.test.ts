import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { Identity } from '../../../gateway/auth/access.ts';
import { proofWrong, type Authenticator } from '../../../gateway/auth/authenticator.ts';
import { Guard } from '../../../gateway/auth/guard.ts';
import { RulePolicy } from '../../../gateway/auth/policy.ts';
import { Cors } from '../../../gateway/http/cors.ts';
import type { Exchange } from '../../../gateway/http/exchange.ts';
import type { Method, Route } from '../../../gateway/http/routes.ts';
import { HttpServer } from '../../../gateway/http/server.ts';
import { emptyFolder } from '../../support/folder.ts';
import { bytesOf } from '../../support/file-source.ts';

const ALICE: Identity = { userId: 'alice', projectId: 'demo', roles: ['member'] };
const MIB = 1024 * 1024;

/** Asks somebody else who takes his time: until the test says who it is. */
class SlowAuthenticator implements Authenticator {
  readonly challenge = 'Slow';
  #decide: ((known: boolean) => void) | undefined;
  #onAsked: (() => void) | undefined;

  authenticate(): Promise<Identity> {
    return new Promise((resolve, reject) => {
      this.#decide = (known) => (known ? resolve(ALICE) : reject(proofWrong()));
      this.#onAsked?.();
    });
  }

  /** Resolves when somebody waits for an answer. */
  async asked(): Promise<void> {
    if (this.#decide === undefined) await new Promise<void>((resolve) => (this.#onAsked = resolve));
  }

  async answer(isKnown: boolean): Promise<void> {
    await this.asked();
    const decide = this.#decide!;
    this.#decide = undefined;
    decide(isKnown);
  }

  reload(): void {}

  close(): void {}
}

async function open(t: TestContext) {
  const directory = join(emptyFolder(t), 'uploads');
  mkdirSync(directory);
  const authenticator = new SlowAuthenticator();
  const handled: string[] = [];
  const route = (method: Method, pattern: string, handle: (exchange: Exchange) => Promise<void>): Route => ({
    method,
    pattern,
    rule: 'function:create',
    handle: (exchange) => {
      handled.push(pattern);
      return handle(exchange);
    },
  });
  const faults: unknown[] = [];
  const server = new HttpServer({
    maxBodyBytes: 4 * MIB,
    uploads: { directory, maxFileBytes: 32 * MIB },
    isBehindProxy: false,
    onFault: (cause) => void faults.push(cause),
    guard: new Guard(authenticator, RulePolicy.from().policy!),
    cors: new Cors({ allowedOrigins: [], isOpen: false, isLoopbackOnly: false }),
    routes: [
      route('POST', '/json', async (exchange) => exchange.sendJson(200, await exchange.json('thing'))),
      route('POST', '/body', async (exchange) => exchange.send(200, digest(await exchange.body()), 'text/plain')),
      route('POST', '/unread', async (exchange) => exchange.send(200, exchange.access.projectId, 'text/plain')),
      route('GET', '/get', async (exchange) => exchange.send(200, String(exchange.access.userId), 'text/plain')),
      route('POST', '/form', async (exchange) => {
        const { fields, files } = await exchange.form();
        const file = files.get('package');
        exchange.sendJson(200, {
          name: fields.get('name'),
          digest: file === undefined ? null : digest(bytesOf(file.source)),
        });
      }),
    ],
  });
  await server.listen('127.0.0.1', 0);
  t.after(() => {
    server.close();
    assert.deepEqual(faults, []);
  });
  const start = (method: string, path: string, headers: OutgoingHttpHeaders = {}): ClientRequest => {
    const request = httpRequest({ port: server.port, method, path, headers });
    t.after(() => void request.destroy());
    return request;
  };
  return { server, authenticator, handled, start };
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function answerTo(
  request: ClientRequest,
): Promise<{ status: number; text: string; headers: OutgoingHttpHeaders }> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode!, text: await text(response), headers: response.headers };
}

/** A form of one field and one file. */
function formOf(file: Buffer): { type: string; body: Buffer } {
  const head = (name: string) => `--limit\r\nContent-Disposition: form-data; name="${name}"`;
  const parts = [`${head('name')}\r\n\r\nf\r\n${head('package')}; filename="p.zip"\r\n\r\n`, file, '\r\n--limit--\r\n'];
  return {
    type: 'multipart/form-data; boundary=limit',
    body: Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
  };
}

describe('a request whose sender is found out later', () => {
  test('without a body is answered then', async (t) => {
    const { authenticator, handled, start } = await open(t);
    const request = start('GET', '/get').end();
    await authenticator.asked();
    assert.deepEqual(handled, []);
    await authenticator.answer(true);
    assert.equal((await answerTo(request)).text, 'alice');
  });

  test('has its body then', async (t) => {
    const { authenticator, start } = await open(t);
    const request = start('POST', '/json', { 'Content-Type': 'application/json' }).end('{"a": "à"}');
    await authenticator.answer(true);
    const { status, text: json } = await answerTo(request);
    assert.deepEqual([status, json], [200, '{"a":"à"}']);
  });

  test('may come without the body that it needs', async (t) => {
    const { authenticator, start } = await open(t);
    const request = start('POST', '/json', { 'Content-Length': 0 }).end();
    await authenticator.answer(true);
    const { status, text: json } = await answerTo(request);
    assert.deepEqual(
      [status, (JSON.parse(json) as { faultstring: string }).faultstring],
      [400, 'Missing argument: "thing"'],
    );
  });

  for (const encoding of ['of a known length', 'in chunks']) {
    const lengthOf = (body: Buffer) => (encoding === 'in chunks' ? {} : { 'Content-Length': body.length });

    test(`has its body ${encoding} whole, whether the rest comes before or after`, async (t) => {
      const { authenticator, start } = await open(t);
      const body = Buffer.from(Array.from({ length: 3 * MIB }, (_, index) => index % 251));
      for (const first of [0, 10, 70_000, 2 * MIB, body.length]) {
        const request = start('POST', '/body', lengthOf(body));
        request.write(body.subarray(0, first));
        request.flushHeaders();
        await authenticator.asked();
        await authenticator.answer(true);
        request.end(body.subarray(first));
        assert.deepEqual(await answerTo(request).then((answer) => answer.text), digest(body), `${first} bytes before`);
      }
    });

    test(`has its upload ${encoding} whole, also one that is larger than what is kept meanwhile`, async (t) => {
      const { authenticator, start } = await open(t);
      const file = Buffer.alloc(20 * MIB, 'qinling ');
      const { type, body } = formOf(file);
      const request = start('POST', '/form', { 'Content-Type': type, ...lengthOf(body) });
      request.end(body);
      await authenticator.asked();
      await new Promise(setImmediate);
      await authenticator.answer(true);
      const { status, text: json } = await answerTo(request);
      assert.deepEqual([status, JSON.parse(json)], [200, { name: 'f', digest: digest(file) }]);
    });

    test(`is refused while its body ${encoding} is under way, and the connection goes on`, async (t) => {
      const { authenticator, handled, start } = await open(t);
      const { type, body } = formOf(Buffer.alloc(5 * MIB));
      const request = start('POST', '/form', { 'Content-Type': type, ...lengthOf(body) });
      request.write(body.subarray(0, MIB));
      await authenticator.answer(false);
      request.end(body.subarray(MIB));
      const { status, headers } = await answerTo(request);
      assert.deepEqual([status, headers['www-authenticate'], handled], [401, 'Slow', []]);
    });

    test(`may be answered without its body ${encoding} being read`, async (t) => {
      const { authenticator, start } = await open(t);
      const body = Buffer.alloc(5 * MIB);
      const request = start('POST', '/unread', lengthOf(body)).end(body);
      await authenticator.answer(true);
      assert.equal((await answerTo(request)).text, 'demo');
    });
  }

  test('makes a client wait whose body is long', async (t) => {
    const { authenticator, start } = await open(t);
    const body = Buffer.alloc(30 * MIB);
    const { type, body: form } = formOf(body);
    for (const headers of [{ 'Content-Length': form.length }, {}]) {
      const request = start('POST', '/form', { 'Content-Type': type, ...headers });
      let isTaken = false;
      request.end(form, () => (isTaken = true));
      await authenticator.asked();
      await untilIdle();
      assert.equal(isTaken, false, 'the system takes no more, for the server does not');
      await authenticator.answer(true);
      assert.equal((await answerTo(request)).status, 200);
    }
  });

  test('may wait to be told to send its body', async (t) => {
    const { authenticator, start } = await open(t);
    for (const isKnown of [true, false]) {
      const request = start('POST', '/body', { Expect: '100-continue', 'Content-Length': 5 });
      const invited = once(request, 'continue');
      request.flushHeaders();
      await authenticator.asked();
      if (isKnown) await authenticator.answer(true); // before the body comes, or after
      await invited;
      request.end('hello');
      if (!isKnown) await authenticator.answer(false);
      const answer = await answerTo(request);
      assert.deepEqual(
        [answer.status, answer.text === digest(Buffer.from('hello'))],
        isKnown ? [200, true] : [401, false],
      );
    }
  });

  test('is forgotten where the sender goes away', async (t) => {
    const { server, authenticator, handled, start } = await open(t);
    const request = start('POST', '/body', { 'Content-Length': 10 });
    request.on('error', () => undefined);
    request.write('hello');
    await authenticator.asked();
    request.destroy();
    while (server.openExchanges > 0) await new Promise(setImmediate);
    await authenticator.answer(true);
    const next = start('GET', '/get').end();
    await authenticator.answer(true);
    assert.equal((await answerTo(next)).text, 'alice');
    assert.deepEqual(handled, ['/get']);
  });

  test('that asks for what does not exist hears so only once it is known', async (t) => {
    const { authenticator, start } = await open(t);
    for (const [method, path, status] of [
      ['GET', '/nowhere', 404],
      ['DELETE', '/get', 405],
    ] as const) {
      const refused = start(method, path).end();
      await authenticator.answer(false);
      assert.equal((await answerTo(refused)).status, 401);
      const heard = start(method, path).end();
      await authenticator.answer(true);
      const { status: heardStatus, headers } = await answerTo(heard);
      assert.deepEqual([heardStatus, headers['allow']], [status, status === 405 ? 'GET, HEAD' : undefined]);
    }
  });

  test('has its body as it was sent, in whatever pieces it comes', async (t) => {
    const { authenticator, start } = await open(t);
    const piece = fc.uint8Array({ minLength: 1, maxLength: 100_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.nat(8),
        fc.boolean(),
        async (pieces, before, isChunked) => {
          const body = Buffer.concat(pieces);
          const request = start('POST', '/body', isChunked ? {} : { 'Content-Length': body.length });
          request.flushHeaders();
          for (const [index, bytes] of pieces.entries()) {
            if (index === before) await authenticator.answer(true);
            request.write(bytes);
          }
          request.end();
          if (before >= pieces.length) await authenticator.answer(true);
          assert.equal((await answerTo(request)).text, digest(body));
        },
      ),
      { numRuns: 40 },
    );
  });
});

/** Some turns of both ends, in which bytes travel that may travel. */
async function untilIdle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
}

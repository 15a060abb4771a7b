import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { CleanUp } from '../../bench/clean-up.ts';
import { runLoad } from '../../bench/load.ts';
import { startEcho } from '../../bench/echo.ts';
import { hasPrograms } from '../support/tools.ts';

const BODY = '{"text": "]] \\"Grüße\\" ]=]"}';

test('the echo server answers with as many bytes as it was told', async (t) => {
  const url = await openEcho(t, 300);

  const response = await fetch(url, { method: 'POST', body: BODY });
  const text = await response.text();

  assert.equal(response.status, 201);
  assert.equal(Buffer.byteLength(text), 300);
  assert.deepEqual((JSON.parse(text) as { echo: unknown }).echo, JSON.parse(BODY));
});

test('a load tells throughput and latency', async (t) => {
  if (!hasPrograms(t, { wrk: 'wrk' })) return;
  const url = await openEcho(t, 300);

  const result = await runLoad({ url, body: BODY, connections: 2, durationSeconds: 1 });

  assert.ok(result.requests > 0 && result.requestsPerSecond > 0);
  assert.ok(result.p50Ms > 0 && result.p50Ms <= result.p99Ms);
});

test('a load of several bodies sends them in their order, again and again', async (t) => {
  if (!hasPrograms(t, { wrk: 'wrk' })) return;
  const received: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      received.push(text);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const body = { bodies: ['{"a":1}', '{"b":2}'], order: [1, 0, 1] };
  await runLoad({ url, body, connections: 1, durationSeconds: 1 });

  assert.ok(received.length > 0);
  const expected = received.map((_, at) => body.bodies[body.order[at % 3]!]);
  assert.deepEqual(received, expected);
});

test('a load whose requests are refused gives no numbers', async (t) => {
  if (!hasPrograms(t, { wrk: 'wrk' })) return;
  const server = createServer((_, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  await assert.rejects(runLoad({ url, body: BODY, connections: 1, durationSeconds: 1 }), /were refused/);
});

test('where wrk is missing, the Debian package is named', async (t) => {
  const { PATH } = process.env;
  t.after(() => (process.env['PATH'] = PATH));
  process.env['PATH'] = '/nowhere';

  const load = runLoad({ url: 'http://127.0.0.1:1/', body: BODY, connections: 1, durationSeconds: 1 });

  await assert.rejects(load, /apt-get install wrk/);
});

async function openEcho(t: TestContext, answerBytes: number): Promise<string> {
  const cleanUp = new CleanUp();
  t.after(() => cleanUp.run());
  return startEcho(cleanUp, answerBytes);
}

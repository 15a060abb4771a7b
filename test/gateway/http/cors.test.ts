import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { CorsOptions } from '../../../gateway/http/cors.ts';
import { route, startHttpServer } from '../../support/http-rig.ts';

const PAGE = 'https://dashboard.example';
const FOREIGN = 'https://evil.example';
const EXPOSED = 'X-Auth-Token X-Subject-Token X-Service-Token X-Project-Id X-User-Name X-Project-Name'.split(' ');
const ALLOWED =
  'X-Auth-Token X-Identity-Status X-Roles X-Service-Catalog X-User-Id X-Tenant-Id X-Project-Id X-User-Name X-Project-Name';

async function open(t: TestContext, cors: Partial<CorsOptions>) {
  const ran: string[] = [];
  const routes = (['GET', 'POST', 'PUT', 'DELETE'] as const).flatMap((method) =>
    ['/v1/executions', '/v1/webhooks/:id/invoke', '/v1/webhooks/:id'].map((pattern) =>
      route(method, pattern, (exchange) => {
        ran.push(method);
        exchange.sendJson(200, {});
      }),
    ),
  );
  const { connect } = await startHttpServer(t, routes, { cors });
  const connection = await connect();
  const send = async (method: string, headers: string, path = '/v1/executions') => {
    const host = /^host:/im.test(headers) ? '' : 'Host: localhost:7070\n';
    connection.send(`${method} ${path} HTTP/1.1\n${host}${headers === '' ? '' : `${headers}\n`}\n`);
    return connection.answer(method === 'HEAD');
  };
  return { ran, send };
}

const isPlain = (headers: ReadonlyMap<string, string>) =>
  ![...headers.keys()].some((name) => name.startsWith('access-control-'));

test('an allowed origin may read the answers, also those that refuse', async (t) => {
  const { send } = await open(t, { allowedOrigins: ['https://other.example', PAGE] });
  for (const path of ['/v1/executions', '/v1/unknown']) {
    const { headers } = await send('GET', `Origin: ${PAGE}`, path);
    assert.equal(headers.get('access-control-allow-origin'), PAGE);
    assert.equal(headers.get('vary'), 'Origin');
    const exposed = headers.get('access-control-expose-headers')!.split(',');
    for (const name of [...EXPOSED, 'Server-Timing']) assert.ok(exposed.includes(name), name);
  }
});

test('a preflight of an allowed origin tells methods and headers', async (t) => {
  const { send, ran } = await open(t, { allowedOrigins: [PAGE] });
  const { status, headers, text } = await send('OPTIONS', `Origin: ${PAGE}\nAccess-Control-Request-Method: POST`);
  assert.deepEqual([status, text], [200, '']);
  assert.equal(headers.get('access-control-allow-origin'), PAGE);
  assert.equal(headers.get('access-control-allow-methods'), 'GET,PUT,POST,DELETE,PATCH');
  const allowed = headers.get('access-control-allow-headers')!.split(',');
  for (const name of [...ALLOWED.split(' '), 'Content-Type']) assert.ok(allowed.includes(name), name);
  assert.equal(headers.get('allow'), 'GET, POST, PUT, DELETE, HEAD');
  assert.deepEqual(ran, []);
});

test('an unknown origin gets answers without CORS headers', async (t) => {
  for (const allowedOrigins of [[], [PAGE]]) {
    const { send } = await open(t, { allowedOrigins });
    for (const origin of [FOREIGN, `${PAGE}.evil.example`, `${PAGE}:8443`, 'null', PAGE.toUpperCase()]) {
      const preflight = await send('OPTIONS', `Origin: ${origin}\nAccess-Control-Request-Method: POST`);
      assert.deepEqual([preflight.status, preflight.text, isPlain(preflight.headers)], [200, '', true], origin);
      const read = await send('GET', `Origin: ${origin}`);
      assert.deepEqual([read.status, isPlain(read.headers)], [200, true]);
    }
    const noPage = await send('OPTIONS', '');
    assert.deepEqual([noPage.status, isPlain(noPage.headers)], [200, true]);
  }
});

test('a star allows every origin', async (t) => {
  const { send } = await open(t, { allowedOrigins: ['*'] });
  const { status, headers } = await send('POST', `Origin: ${FOREIGN}`);
  assert.deepEqual([status, headers.get('access-control-allow-origin')], [200, FOREIGN]);
});

test('while nobody need authenticate, a foreign page changes nothing', async (t) => {
  const { send, ran } = await open(t, { isOpen: true, allowedOrigins: [PAGE] });
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    for (const origin of [FOREIGN, 'null', 'http://localhost:7070']) {
      const { status, json, headers } = await send(method, `Origin: ${origin}`);
      assert.deepEqual([status, json['faultcode'], isPlain(headers)], [403, 'Client', true], `${method} ${origin}`);
    }
  }
  assert.deepEqual(ran, []);
  for (const method of ['POST', 'PUT', 'DELETE']) {
    assert.equal((await send(method, `Origin: ${PAGE}`)).status, 200);
    assert.equal((await send(method, '')).status, 200, 'no page: a program');
  }
});

test('a webhook may be invoked by any page', async (t) => {
  const { send, ran } = await open(t, { isOpen: true });
  const id = '0d8c1c1a-9f5c-4b5e-8a3f-1c1a9f5c4b5e';
  for (const path of [`/v1/webhooks/${id}/invoke`, `/v1/webhooks/${id}/invoke/`, `/v1//webhooks/${id}//invoke`]) {
    assert.equal((await send('POST', `Origin: ${FOREIGN}`, path)).status, 200, path);
  }
  assert.deepEqual(ran.splice(0), ['POST', 'POST', 'POST']);
  assert.equal((await send('DELETE', `Origin: ${FOREIGN}`, `/v1/webhooks/${id}`)).status, 403);
  assert.equal((await send('PUT', `Origin: ${FOREIGN}`, `/v1/executions?/v1/webhooks/${id}/invoke`)).status, 403);
  assert.deepEqual(ran, []);
});

test('where only loopback is listened on, a foreign host name is refused', async (t) => {
  const { send, ran } = await open(t, { isOpen: true, isLoopbackOnly: true });
  const foreign = ['evil.example', 'evil.example:7070', 'localhost.evil.example', '10.0.0.1', '127.0.0.1.evil.example'];
  for (const host of foreign) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'HEAD']) {
      assert.equal((await send(method, `Host: ${host}`)).status, 403, `${method} ${host}`);
    }
  }
  assert.deepEqual(ran, []);
  for (const host of ['localhost', 'LocalHost:7070', '127.0.0.1', '127.8.9.1:80', '[::1]', '[::1]:7070']) {
    assert.equal((await send('GET', `Host: ${host}`)).status, 200, host);
  }
});

test('where more than loopback is listened on, every host name is taken', async (t) => {
  const { send } = await open(t, { isOpen: true, isLoopbackOnly: false });
  assert.equal((await send('POST', 'Host: functions.example')).status, 200);
});

test('where callers authenticate, no page is turned away', async (t) => {
  const { send } = await open(t, { isOpen: false, isLoopbackOnly: true });
  assert.equal((await send('POST', `Host: functions.example\nOrigin: ${FOREIGN}`)).status, 200);
});

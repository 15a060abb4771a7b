import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../../gateway/orchestrator/kubernetes/client.ts';
import { FakeKubernetes, writeEvents } from '../../../support/fake-kubernetes.ts';

test('what may be asked twice is asked again while the server is out', async (t) => {
  let tries = 0;
  const server = await FakeKubernetes.open(t, () => (++tries < 3 ? [503, { message: 'starting' }] : [200, { ok: 1 }]));
  assert.deepEqual(await server.client.get('/api'), { ok: 1 });
  assert.equal(tries, 3);
});

test('an object that may have been made is not made again', async (t) => {
  const server = await FakeKubernetes.open(t, () => [503, { message: 'starting' }]);
  await assert.rejects(server.client.create('/api', {}), ApiError);
  assert.equal(server.requests.length, 1);
});

test('a refusal tells its status, its reason and its text', async (t) => {
  const server = await FakeKubernetes.open(t, () => [403, { reason: 'Forbidden', message: 'you may not' }]);
  await assert.rejects(server.client.get('/api'), (error: ApiError) => {
    assert.deepEqual([error.status, error.reason, error.message], [403, 'Forbidden', 'you may not']);
    return true;
  });
  assert.equal(server.requests.length, 1);
});

test('to delete what is not there is no error', async (t) => {
  const server = await FakeKubernetes.open(t, () => [404, { reason: 'NotFound' }]);
  await server.client.delete('/api/v1/namespaces/a/pods/b');
});

test('each change says what kind of patch it is', async (t) => {
  const server = await FakeKubernetes.open(t, () => [200, {}]);
  await server.client.apply('/a', { kind: 'A' }, 'me');
  await server.client.merge('/b', { metadata: {} });
  await server.client.mergeByName('/c', { spec: {} });
  assert.deepEqual(
    server.requests.map(({ method, path, contentType }) => [method, path, contentType]),
    [
      ['PATCH', '/a', 'application/apply-patch+yaml'],
      ['PATCH', '/b', 'application/merge-patch+json'],
      ['PATCH', '/c', 'application/strategic-merge-patch+json'],
    ],
  );
  const { query } = server.requests[0]!;
  assert.deepEqual(
    [query.get('fieldManager'), query.get('force'), query.get('fieldValidation')],
    ['me', 'true', 'Strict'],
  );
});

test('a watch gives its events, and ends with its connection or its signal', async (t) => {
  let isFirst = true;
  const server = await FakeKubernetes.open(t, () => (response) => {
    writeEvents(response, [['ADDED', { metadata: { name: 'a' } }]]);
    if (isFirst) response.end();
    isFirst = false;
  });
  const seen: string[] = [];
  await server.client.watch('/pods', {}, (type) => seen.push(type), new AbortController().signal);
  const stop = new AbortController();
  await server.client.watch(
    '/pods',
    {},
    (type) => {
      seen.push(type);
      stop.abort();
    },
    stop.signal,
  );
  assert.deepEqual(seen, ['ADDED', 'ADDED']);
});

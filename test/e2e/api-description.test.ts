import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api } from '../support/api.ts';
import { DescribedApi, type DescribedAnswer } from '../support/described-api.ts';
import { makeFolder, Server } from '../support/server.ts';
import { zipOf } from '../support/zip.ts';

const UNKNOWN = '0197f0c0-0000-7000-8000-0123456789ab';
const FILES = { 'main.py': "def main(way='fine'):\n    print(way)\n    return {'fine': 1}[way]\n" };

test('a real server answers as it describes itself, and describes all that it answers', async (t) => {
  const { url } = await Server.start(t, makeFolder(t).path);
  const api = await DescribedApi.open(url);
  const runtimeId = await new Api(url).findRuntime('python3');
  assert.ok(runtimeId !== undefined);

  await askForDocuments(api);
  await useRuntimes(api, runtimeId);
  const functionId = await useFunctions(api, runtimeId);
  await useExecutions(api, functionId);
  await useWorkers(api, functionId);
  await useVersionsAndAliases(api, functionId);
  expect(await api.request('DELETE', `/v1/functions/${functionId}`), 204);

  const succeeded = [...api.met].filter((met) => / 2\d\d$/.test(met)).map((met) => met.replace(/ \d+$/, ''));
  assert.deepEqual([...new Set(succeeded)].sort(), api.operations.sort());
});

async function askForDocuments(api: DescribedApi): Promise<void> {
  for (const path of ['/', '/v1', '/v1/openapi.json']) expect(await api.request('GET', path), 200);
  const [server] = api.document['servers'] as { url: string }[];
  assert.match(server!.url, /^http:\/\/127\.0\.0\.1:\d+$/);
}

async function useRuntimes(api: DescribedApi, runtimeId: string): Promise<void> {
  const given = { image: 'DOCKER_USER/python-runtime', name: 'mine', is_public: 'no', trusted: null };
  const { id } = expect(await api.json('POST', '/v1/runtimes', given), 201).json;
  const path = `/v1/runtimes/${String(id)}`;
  while ((await api.request('GET', path)).json['status'] !== 'available');
  expect(await api.json('PUT', path, { description: 'changed', is_public: true }), 200);
  expect(await api.request('GET', '/v1/runtimes'), 200);
  expect(await api.request('GET', '/v1/runtimes?limit=1'), 200);
  expect(await api.request('GET', `/v1/runtimes/${runtimeId}/pool`), 200);
  expect(await api.request('DELETE', path), 204);
  expect(await api.request('GET', `/v1/runtimes/${UNKNOWN}`), 404);
  expect(await api.json('POST', '/v1/runtimes', {}), 400);
}

/** Resolves with the id of a function that can be run. */
async function useFunctions(api: DescribedApi, runtimeId: string): Promise<string> {
  const form = new FormData();
  form.set('runtime_id', runtimeId);
  form.set('code', '{"package": "true"}');
  form.set('package', new Blob([zipOf(FILES)]), 'package.zip');
  const created = expect(await api.request('POST', '/v1/functions', { body: form }), 201);
  const id = String(created.json['id']);
  const path = `/v1/functions/${id}`;
  expect(await api.request('PUT', path, { body: new URLSearchParams({ name: 'mine', timeout: '7' }) }), 200);
  expect(
    await api.json('PUT', path, { memory_size: 67_108_864, cpu: '1000', retry: { max_attempts: 2, backoff: 0 } }),
    200,
  );
  expect(await api.request('GET', path), 200);
  expect(await api.request('GET', `${path}?download=true`), 200);
  const { functions } = expect(await api.request('GET', '/v1/functions'), 200).json;
  assert.deepEqual(
    (functions as { id: string }[]).map((one) => one.id),
    [id],
  );
  expect(await api.json('POST', '/v1/functions', { code: {} }), 400);
  expect(await api.json('PUT', path, { cpu: 1 }), 400);
  expect(await api.request('GET', `/v1/functions/${UNKNOWN}`), 404);
  return id;
}

async function useExecutions(api: DescribedApi, functionId: string): Promise<void> {
  const run = (given: object) => api.json('POST', '/v1/executions', { function_id: functionId, ...given });
  const done = expect(await run({ input: null, description: 'the first' }), 201);
  assert.equal(done.json['status'], 'success', done.text);
  const failed = expect(await run({ input: { way: 'other' }, function_version: '0' }), 201);
  assert.equal(failed.json['status'], 'failed', failed.text);
  const later = expect(await run({ sync: false, input: { way: 'other' } }), 201);
  const path = `/v1/executions/${String(later.json['id'])}`;
  while ((await api.request('GET', `${path}?wait=30`)).json['status'] === 'running');
  expect(await api.request('POST', `${path}/redrive`), 200);
  expect(await api.request('GET', `${path}/log?follow=true`), 200);
  expect(await api.request('GET', `${path}/log`), 200);
  expect(await api.request('GET', '/v1/executions?limit=2&status=in:success,failed'), 200);
  expect(await api.request('GET', '/v1/executions'), 200);
  expect(await api.request('DELETE', path), 204);
  expect(await api.request('GET', path), 404);
  expect(await run({ input: 1, sync: 'perhaps' }), 400);
  expect(await api.json('POST', '/v1/executions', { function_id: UNKNOWN }), 404);
  expect(await api.request('GET', '/v1/executions?sort_key=id'), 400);
}

/** The workers of a function that has run. */
async function useWorkers(api: DescribedApi, functionId: string): Promise<void> {
  const path = `/v1/functions/${functionId}`;
  const { workers } = expect(await api.request('GET', `${path}/workers?function_version=0`), 200).json;
  assert.equal((workers as unknown[]).length, 1);
  expect(await api.json('POST', `${path}/scale_up`, { count: '1' }), 202);
  expect(await api.json('POST', `${path}/scale_down`, { count: 1 }), 202);
  expect(await api.json('POST', `${path}/scale_down`, {}), 400);
  expect(await api.request('POST', `${path}/detach`), 202);
  expect(await api.request('GET', `${path}/workers?function_version=x`), 400);
}

async function useVersionsAndAliases(api: DescribedApi, functionId: string): Promise<void> {
  const versions = `/v1/functions/${functionId}/versions`;
  expect(await api.json('POST', versions, { description: null }), 201);
  expect(await api.json('POST', versions, {}), 403);
  expect(await api.request('GET', versions), 200);
  expect(await api.request('GET', `${versions}/1`), 200);
  expect(await api.request('GET', `${versions}/1?download=true`), 200);
  expect(await api.request('GET', `${versions}/one`), 400);
  expect(await api.json('POST', `${versions}/1/scale_up`, { count: 1 }), 202);
  expect(await api.json('POST', `${versions}/1/scale_down`, { count: 1 }), 202);
  expect(await api.request('POST', `${versions}/1/detach`), 202);

  const given = { name: 'live ü', function_id: functionId, function_version: '1', description: '' };
  expect(await api.json('POST', '/v1/aliases', given), 201);
  expect(await api.json('POST', '/v1/aliases', given), 400);
  expect(await api.request('GET', '/v1/aliases?limit=1'), 200);
  const alias = `/v1/aliases/${encodeURIComponent(given.name)}`;
  expect(await api.request('GET', alias), 200);
  expect(await api.json('POST', '/v1/executions', { function_alias: given.name }), 201);
  expect(await api.json('PUT', alias, { function_version: 0, description: null }), 200);
  expect(await api.request('DELETE', alias), 204);
  expect(await api.request('GET', alias), 404);
  expect(await api.request('DELETE', `${versions}/1`), 204);
}

function expect(answer: DescribedAnswer, status: number): DescribedAnswer {
  assert.equal(answer.status, status, answer.text);
  return answer;
}

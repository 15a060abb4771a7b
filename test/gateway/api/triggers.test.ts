import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply } from '../../support/resource-server.ts';
import { startTriggerServer } from '../../support/trigger-server.ts';

/** What jobs and webhooks run by version and by alias, and what they hold. */

type Server = Awaited<ReturnType<typeof startTriggerServer>>;

async function make({ sendJson }: Server, path: string, body: object): Promise<Record<string, unknown>> {
  const { status, json, text } = await sendJson('POST', path, body);
  assert.equal(status, 201, text);
  return json;
}

const daily = { pattern: '@daily' };
const errorOf = ({ status, json }: Reply) => [status, json['faultstring']];

test('a job of a version, and one of an alias, are shown as they were asked for', async (t) => {
  const server = await startTriggerServer(t);
  const { functionId } = server;
  await make(server, `/v1/functions/${functionId}/versions`, {});
  await make(server, '/v1/aliases', { name: 'live', function_id: functionId, function_version: 1 });

  const byVersion = await make(server, '/v1/jobs', { ...daily, function_id: functionId, function_version: '1' });
  const byAlias = await make(server, '/v1/jobs', { ...daily, function_alias: 'live', function_version: 7 });

  const namesOf = (job: Record<string, unknown>) => [
    job['function_id'],
    job['function_version'],
    job['function_alias'],
  ];
  assert.deepEqual(namesOf(byVersion), [functionId, 1, null]);
  assert.deepEqual(namesOf(byAlias), [null, 0, 'live']);
});

test('a webhook of an alias runs what the alias means at the call', async (t) => {
  const server = await startTriggerServer(t);
  const { functionId, send, sendJson, executions } = server;
  await make(server, `/v1/functions/${functionId}/versions`, {});
  await make(server, '/v1/aliases', { name: 'live', function_id: functionId });
  const webhook = await make(server, '/v1/webhooks', { function_alias: 'live' });
  const path = `/v1/webhooks/${String(webhook['id'])}`;
  assert.deepEqual(
    [webhook['function_id'], webhook['function_version'], webhook['function_alias']],
    [null, null, 'live'],
  );

  assert.equal((await send('POST', `${path}/invoke`)).status, 202);
  await sendJson('PUT', '/v1/aliases/live', { function_version: '1' });
  assert.equal((await send('POST', `${path}/invoke`)).status, 202);
  const moved = await sendJson('PUT', path, { function_id: functionId, function_version: 1 });
  assert.deepEqual(
    [moved.json['function_id'], moved.json['function_version'], moved.json['function_alias']],
    [functionId, 1, null],
  );
  const back = await sendJson('PUT', path, { function_alias: 'live', function_id: functionId });
  assert.deepEqual(
    [back.json['function_id'], back.json['function_version'], back.json['function_alias']],
    [null, null, 'live'],
  );

  const asked = executions.asked.map(({ request }) => [
    request.functionId,
    request.functionVersion,
    request.functionAlias,
  ]);
  assert.deepEqual(asked, [
    [functionId, 0, undefined],
    [functionId, 1, undefined],
  ]);
});

test('an unfinished job holds its function, with its code, and its version; a finished one does not', async (t) => {
  const server = await startTriggerServer(t);
  const { functionId, send, sendJson } = server;
  await make(server, `/v1/functions/${functionId}/versions`, {});
  const job = await make(server, '/v1/jobs', { ...daily, function_id: functionId, function_version: 1 });
  const [path, version] = [`/v1/functions/${functionId}`, `/v1/functions/${functionId}/versions/1`];
  const ofFunction = [403, 'The function is still associated with running job(s).'];

  assert.deepEqual(errorOf(await send('DELETE', path)), ofFunction);
  assert.deepEqual(errorOf(await sendJson('PUT', path, { entry: 'main.other' })), ofFunction);
  assert.equal((await sendJson('PUT', path, { description: 'may change' })).status, 200);
  const ofVersion = [403, 'The function version is still associated with running job(s).'];
  assert.deepEqual(errorOf(await send('DELETE', version)), ofVersion);
  await sendJson('PUT', `/v1/jobs/${String(job['id'])}`, { status: 'paused' });
  assert.deepEqual(errorOf(await send('DELETE', version)), ofVersion);

  await sendJson('PUT', `/v1/jobs/${String(job['id'])}`, { status: 'cancelled' });
  assert.equal((await send('DELETE', version)).status, 204);
  assert.equal((await send('DELETE', path)).status, 204);
  assert.equal((await send('GET', `/v1/jobs/${String(job['id'])}`)).status, 404, 'it went with its function');
});

test('a webhook holds its function and its version, but not the code', async (t) => {
  const server = await startTriggerServer(t);
  const { functionId, send, sendJson } = server;
  await make(server, `/v1/functions/${functionId}/versions`, {});
  const webhook = await make(server, '/v1/webhooks', { function_id: functionId, function_version: 1 });
  const [path, version] = [`/v1/functions/${functionId}`, `/v1/functions/${functionId}/versions/1`];

  const ofFunction = [403, 'The function is still associated with webhook(s).'];
  assert.deepEqual(errorOf(await send('DELETE', path)), ofFunction);
  const ofVersion = [403, 'The function version is still associated with webhook.'];
  assert.deepEqual(errorOf(await send('DELETE', version)), ofVersion);
  assert.equal((await sendJson('PUT', path, { entry: 'main.other' })).status, 200);

  await send('DELETE', `/v1/webhooks/${String(webhook['id'])}`);
  assert.equal((await send('DELETE', version)).status, 204);
  assert.equal((await send('DELETE', path)).status, 204);
});

test('unfinished jobs and webhooks hold the alias that they name', async (t) => {
  const server = await startTriggerServer(t);
  const { functionId, send, sendJson } = server;
  await make(server, '/v1/aliases', { name: 'live', function_id: functionId });
  const job = await make(server, '/v1/jobs', { ...daily, function_alias: 'live' });
  const webhook = await make(server, '/v1/webhooks', { function_alias: 'live' });

  const ofJob = [403, 'The function alias is still associated with running job(s).'];
  assert.deepEqual(errorOf(await send('DELETE', '/v1/aliases/live')), ofJob);
  await sendJson('PUT', `/v1/jobs/${String(job['id'])}`, { status: 'cancelled' });
  const ofWebhook = [403, 'The function alias is still associated with webhook.'];
  assert.deepEqual(errorOf(await send('DELETE', '/v1/aliases/live')), ofWebhook);
  await send('DELETE', `/v1/webhooks/${String(webhook['id'])}`);
  assert.equal((await send('DELETE', '/v1/aliases/live')).status, 204);
});

test('a job comes before a webhook, and that before an alias, where all hold a function', async (t) => {
  const server = await startTriggerServer(t);
  const { functionId, send } = server;
  await make(server, '/v1/aliases', { name: 'live', function_id: functionId });
  const webhook = await make(server, '/v1/webhooks', { function_id: functionId });
  const job = await make(server, '/v1/jobs', { ...daily, function_id: functionId });
  const remove = () => send('DELETE', `/v1/functions/${functionId}`);

  assert.deepEqual(errorOf(await remove()), [403, 'The function is still associated with running job(s).']);
  await send('DELETE', `/v1/jobs/${String(job['id'])}`);
  assert.deepEqual(errorOf(await remove()), [403, 'The function is still associated with webhook(s).']);
  await send('DELETE', `/v1/webhooks/${String(webhook['id'])}`);
  assert.deepEqual(errorOf(await remove()), [403, 'The function is still associated with function alias(es).']);
  await send('DELETE', '/v1/aliases/live');
  assert.equal((await remove()).status, 204);
});

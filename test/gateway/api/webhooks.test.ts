import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QinlingError } from '../../../gateway/errors.ts';
import { webhookRecord } from '../../support/store-records.ts';
import { startTriggerServer } from '../../support/trigger-server.ts';

const UNKNOWN = '6f0b2b3c-9d3d-4d2b-8c7e-1f1f4a8b0a11';
/** Version 4: all random. */
const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const JSON_HEADERS = { 'Content-Type': 'application/json' };

test('a webhook is created as the client sends it, and shown with a URL of the host that was asked', async (t) => {
  const { sendJson, send, functionId, url } = await startTriggerServer(t);
  const body = { function_id: functionId, function_version: 0, function_alias: null, description: 'D' };

  const { status, json } = await sendJson('POST', '/v1/webhooks', body);

  assert.equal(status, 201, JSON.stringify(json));
  const id = json['id'] as string;
  assert.match(id, RANDOM_UUID);
  assert.match(json['created_at'] as string, TIME);
  assert.deepEqual(Object.entries(json), [
    ['id', id],
    ['function_id', functionId],
    ['function_version', 0],
    ['function_alias', null],
    ['description', 'D'],
    ['project_id', 'default'],
    ['created_at', json['created_at']],
    ['updated_at', null],
    ['webhook_url', `${url}/v1/webhooks/${id}/invoke`],
  ]);
  assert.deepEqual((await send('GET', `/v1/webhooks/${id}`)).json, json);
  assert.deepEqual((await send('GET', '/v1/webhooks')).json, { webhooks: [json] });
});

test('the configured endpoint begins the URL of every webhook', async (t) => {
  const { sendJson, send, functionId } = await startTriggerServer(t, {
    publicEndpoint: 'https://f.example.org/qinling',
  });

  const { json } = await sendJson('POST', '/v1/webhooks', { function_id: functionId });

  const path = `/v1/webhooks/${String(json['id'])}`;
  const webhookUrl = `https://f.example.org/qinling${path}/invoke`;
  assert.equal(json['webhook_url'], webhookUrl);
  assert.equal((await send('GET', path)).json['webhook_url'], webhookUrl);
  assert.equal((await sendJson('PUT', path, {})).json['webhook_url'], webhookUrl);
  assert.deepEqual((await send('GET', '/v1/webhooks')).json, { webhooks: [json] });
});

const NOTHING = 'Either function_alias or function_id must be provided.';
const BAD: readonly (readonly [fields: Record<string, unknown>, status: number, text: string | RegExp])[] = [
  [{}, 400, NOTHING],
  [{ function_id: null, function_alias: null, function_version: 1 }, 400, NOTHING],
  [{ function_alias: '' }, 400, NOTHING],
  [
    { function_id: 'x' },
    400,
    /^Invalid input for field\/attribute function_id\. Value: 'x'\. Value should be UUID format\.$/,
  ],
  [{ function_id: UNKNOWN }, 404, `Function not found [id=${UNKNOWN}]`],
  [{ function_alias: 'live', function_id: UNKNOWN }, 404, 'FunctionAlias not found [name=live]'],
  [{ function_id: UNKNOWN, function_version: -1 }, 400, /^Invalid input for field\/attribute function_version\./],
  [
    { function_id: UNKNOWN, webhook_url: 'x' },
    400,
    /^Invalid input for field\/attribute webhook_url\..* Cannot set read only field\.$/,
  ],
  [{ function_id: UNKNOWN, description: 'd'.repeat(256) }, 400, /^Invalid input for field\/attribute description\./],
  [{ url: 'x' }, 400, 'Unknown attribute for argument webhook: url'],
];
test('a webhook that breaks a rule is refused', async (t) => {
  const { sendJson, send, functionId } = await startTriggerServer(t);
  for (const [body, expected, text] of BAD) {
    const { status, json } = await sendJson('POST', '/v1/webhooks', body);
    assert.equal(status, expected, JSON.stringify(body));
    if (typeof text === 'string') assert.equal(json['faultstring'], text);
    else assert.match(json['faultstring'] as string, text);
  }
  const version = await sendJson('POST', '/v1/webhooks', { function_id: functionId, function_version: 7 });
  const text = `FunctionVersion not found [function_id=${functionId}, version_number=7]`;
  assert.deepEqual([version.status, version.json['faultstring']], [404, text]);
  assert.deepEqual((await send('GET', '/v1/webhooks')).json, { webhooks: [] });
});

test('a webhook is changed as the client sends it', async (t) => {
  const { sendJson, create, functionId } = await startTriggerServer(t);
  const other = await create('def main(): return 2');
  const { json } = await sendJson('POST', '/v1/webhooks', { function_id: functionId });
  const path = `/v1/webhooks/${String(json['id'])}`;

  const same = await sendJson('PUT', path, { function_id: null, function_version: null, description: null });
  assert.deepEqual([same.status, same.json], [200, json]);
  const moved = await sendJson('PUT', path, { function_id: other.id, function_version: '0', description: '' });
  const { function_id, function_version, description, updated_at } = moved.json;
  assert.deepEqual([function_id, function_version, description], [other.id, 0, '']);
  assert.match(updated_at as string, TIME);
  const unknown = await sendJson('PUT', path, { function_id: UNKNOWN });
  assert.deepEqual([unknown.status, unknown.json['faultstring']], [404, `Function not found [id=${UNKNOWN}]`]);
  const version = await sendJson('PUT', path, { function_version: '7' });
  assert.equal(version.status, 404);
  const alias = await sendJson('PUT', path, { function_alias: 'live' });
  assert.deepEqual([alias.status, alias.json['faultstring']], [404, 'FunctionAlias not found [name=live]']);
  const missing = await sendJson('PUT', `/v1/webhooks/${UNKNOWN}`, { description: 'x' });
  assert.deepEqual([missing.status, missing.json['faultstring']], [404, `Webhook not found [id=${UNKNOWN}]`]);
});

test('a webhook of an alias takes another description, and another function in its place', async (t) => {
  const { sendJson, store, functionId } = await startTriggerServer(t);
  const byAlias = { functionId: null, functionVersion: null, functionAlias: 'live' };
  const record = webhookRecord(byAlias);
  await store.webhooks.insert(record);
  const path = `/v1/webhooks/${record.id}`;
  const namesOf = ({ json }: { json: Record<string, unknown> }) => [
    json['function_id'],
    json['function_version'],
    json['function_alias'],
  ];

  const described = await sendJson('PUT', path, { description: 'new' });
  assert.deepEqual([described.status, ...namesOf(described)], [200, null, null, 'live']);
  const version = await sendJson('PUT', path, { function_version: 1 });
  const text = 'function_id must be provided with function_version.';
  assert.deepEqual([version.status, version.json['faultstring']], [400, text]);
  const moved = await sendJson('PUT', path, { function_id: functionId });
  assert.deepEqual([moved.status, ...namesOf(moved)], [200, functionId, 0, null]);
});

test('a deleted webhook is gone, and its URL with it', async (t) => {
  const { send, sendJson, functionId, executions } = await startTriggerServer(t);
  const { json } = await sendJson('POST', '/v1/webhooks', { function_id: functionId });
  const path = `/v1/webhooks/${String(json['id'])}`;

  const gone = await send('DELETE', path);

  assert.deepEqual([gone.status, gone.text], [204, '']);
  const text = `Webhook not found [id=${String(json['id'])}]`;
  for (const missing of [await send('GET', path), await send('POST', `${path}/invoke`), await send('DELETE', path)]) {
    assert.deepEqual([missing.status, missing.json['faultstring']], [404, text]);
  }
  assert.equal((await send('POST', '/v1/webhooks/x/invoke')).status, 400);
  assert.equal((await send('GET', `${path}/invoke`)).status, 405);
  assert.equal(executions.asked.length, 0);
});

test('a call runs the function later with what query and body hold', async (t) => {
  const { url, send, sendJson, functionId, executions } = await startTriggerServer(t);
  const { json } = await sendJson('POST', '/v1/webhooks', { function_id: functionId });
  const path = new URL(json['webhook_url'] as string).href.slice(url.length);

  const answer = await send('POST', `${path}?a=q`, { body: new URLSearchParams({ name: 'qinling', a: 'body' }) });

  assert.equal(answer.status, 202, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/json');
  const { access, request } = executions.only;
  assert.deepEqual(request, {
    functionId,
    functionVersion: 0,
    input: '{"a": ["q", "body"], "name": "qinling"}',
    isSync: false,
    description: `Created by Webhook ${String(json['id'])}`,
  });
  assert.deepEqual([access.projectId, access.scope, access.isAdmin], ['default', 'default', false]);
  assert.deepEqual(Object.keys(answer.json), ['execution_id']);
  const origin = { Origin: 'https://elsewhere.example.org' }; // a web page may call it
  const calls: RequestInit[] = [
    { body: '{"name":"x"}', headers: { ...JSON_HEADERS, ...origin } },
    { body: 'text' },
    {},
    { headers: JSON_HEADERS },
  ];
  for (const call of calls) assert.equal((await send('POST', `${path}/`, call)).status, 202);
  assert.deepEqual(
    executions.asked.slice(1).map(({ request: { input } }) => input),
    ['{"name": "x"}', '{}', '{}', '{}'],
  );
});

test('a call that can not be read, or not be run, is refused with the reason', async (t) => {
  const { send, sendForm, sendJson, functionId, executions } = await startTriggerServer(t);
  const { json } = await sendJson('POST', '/v1/webhooks', { function_id: functionId });
  const path = `/v1/webhooks/${String(json['id'])}/invoke`;

  const broken = await send('POST', path, { body: '{', headers: JSON_HEADERS });
  assert.deepEqual([broken.status, broken.json['faultstring']], [400, 'Request is not in valid JSON format']);
  const file = await sendForm('POST', path, { f: Buffer.from('x') });
  assert.deepEqual([file.status, file.json['faultstring']], [400, 'The form field f is a file: only text is taken.']);
  const large = await send('POST', path, { body: 'x'.repeat(100_001) });
  assert.equal(large.status, 413);
  assert.equal(executions.asked.length, 0);
  executions.refusals.set(functionId, new QinlingError('CONFLICT', 'Runtime r is not available.'));
  const conflict = await send('POST', path);
  assert.deepEqual([conflict.status, conflict.json['faultstring']], [409, 'Runtime r is not available.']);
});

test('a webhook that is called too often says when to come again; others are not held up', async (t) => {
  const { send, sendJson, functionId, executions } = await startTriggerServer(t, {
    rateLimit: { perSecond: 0.01, burst: 2 },
  });
  const make = async () => (await sendJson('POST', '/v1/webhooks', { function_id: functionId })).json['id'] as string;
  const [busy, quiet] = [await make(), await make()];
  const call = (id: string) => send('POST', `/v1/webhooks/${id}/invoke`);

  assert.deepEqual([(await call(busy)).status, (await call(busy.toUpperCase())).status], [202, 202]);
  const refused = await call(busy);

  assert.deepEqual([refused.status, refused.json['faultstring']], [429, 'The webhook is called too often.']);
  const retryAfter = Number(refused.headers.get('retry-after'));
  assert.ok(retryAfter > 0 && retryAfter <= 100, String(retryAfter));
  assert.equal((await call(quiet)).status, 202);
  assert.equal(executions.asked.length, 3);
});

test('a list holds every webhook in the order of creation', async (t) => {
  const { send, store } = await startTriggerServer(t);
  const records = Array.from({ length: 1_100 }, () => webhookRecord());
  await Promise.all(records.map((record) => store.webhooks.insert(record)));

  const { json } = await send('GET', '/v1/webhooks?all_projects=false');

  assert.deepEqual(
    (json['webhooks'] as { id: string }[]).map(({ id }) => id),
    records.map(({ id }) => id),
  );
  assert.equal((await send('GET', '/v1/webhooks?name=x')).json['faultstring'], 'Unknown argument: "name"');
});

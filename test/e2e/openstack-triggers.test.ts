import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { OpenstackClient, type Row } from '../support/openstack-client.ts';
import { makeFolder, Server } from '../support/server.ts';
import { hasOpenstackClient } from '../support/tools.ts';

const FILES = { 'main.py': 'def main():\n    return 1\n' };
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const JOB_COLUMNS = [
  'id',
  'name',
  'count',
  'status',
  'function_alias',
  'function_id',
  'function_version',
  'function_input',
  'pattern',
  'first_execution_time',
  'next_execution_time',
  'project_id',
  'created_at',
  'updated_at',
];
const WEBHOOK_COLUMNS = [
  'id',
  'function_alias',
  'function_id',
  'function_version',
  'description',
  'project_id',
  'created_at',
  'updated_at',
  'webhook_url',
];

/** One of a list, with its titles in small letters as those of a single one. */
function find(rows: readonly Row[], id: unknown): Row {
  const found = rows.find((row) => row['Id'] === id);
  assert.ok(found !== undefined, JSON.stringify(rows));
  return Object.fromEntries(Object.entries(found).map(([title, value]) => [title.toLowerCase(), value]));
}

async function startClient(t: TestContext) {
  const { path: folder } = makeFolder(t);
  const client = new OpenstackClient((await Server.start(t, folder)).url, folder);
  const { id: functionId } = await client.api.createFunction({ files: FILES });
  return { client, api: client.api, functionId };
}

test('the openstack client makes, shows, changes and deletes jobs', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { client, api, functionId } = await startClient(t);
  const [time, soon] = ['2036-01-02 03:04:05', new Date(Date.now() + 30_000).toISOString()];
  const [once, often] = await Promise.all([
    client.json('job', 'create', '--function', functionId, '--name', 'N', '--first-execution-time', time),
    client.json(
      'job',
      'create',
      '--function',
      functionId,
      '--pattern',
      '0 0 1 1 *',
      '--count',
      '3',
      '--function-input',
      '{"name": "x"}',
    ),
  ]);
  const first = '2036-01-02T03:04:05Z';
  const { id, created_at: createdAt } = once;
  assert.deepEqual(Object.keys(once), JOB_COLUMNS);
  assert.deepEqual(Object.values(once), [
    id,
    'N',
    1,
    'running',
    null,
    functionId,
    0,
    null,
    null,
    first,
    first,
    'default',
    createdAt,
    null,
  ]);
  assert.deepEqual([often['pattern'], often['count'], often['function_input']], ['0 0 1 1 *', 3, '{"name": "x"}']);

  const change = ['--name', 'M', '--status', 'paused', '--function-input', 'text'];
  const [list, shown, changed, ...refusals] = await Promise.all([
    client.json<Row[]>('job', 'list'),
    client.json('job', 'show', String(id)),
    client.json('job', 'update', String(often['id']), ...change, '--next-execution-time', '2037-01-01T00:00:00Z'),
    client.refusal('job', 'show', UNKNOWN),
    client.refusal('job', 'create', '--function', functionId, '--pattern', '0 0 31 2 *'),
    client.refusal('job', 'create', '--function', functionId, '--first-execution-time', soon),
    client.refusal('job', 'create', '--function-alias', 'nobody knows it', '--pattern', '@daily'),
    client.refusal('job', 'update', String(id), '--pattern', '@daily'),
    client.refusal('job', 'update', String(id), '--status', 'done'),
  ]);
  assert.deepEqual(find(list, id), once);
  assert.deepEqual(shown, once);
  const { name, status, function_input: input, next_execution_time: next } = changed;
  assert.deepEqual([name, status, input, next], ['M', 'paused', 'text', '2037-01-01T00:00:00Z']);
  const texts = [
    `Job not found [id=${UNKNOWN}] (HTTP 404)`,
    'The specified pattern is not valid: 0 0 31 2 * (HTTP 400)',
    'Execution time must be at least 1 minute in the future. (HTTP 400)',
    'FunctionAlias not found [name=nobody knows it] (HTTP 404)',
    'Can not change job type. (HTTP 400)',
    'Invalid status. (HTTP 400)',
  ];
  for (const [index, text] of texts.entries()) assert.ok(refusals[index]!.includes(text), refusals[index]);

  const gone = await client.text('job', 'delete', String(id), String(often['id']));
  assert.match(gone, /accepted[^]*accepted/);
  assert.equal((await api.request('GET', `/v1/jobs/${String(id)}`)).status, 404);
});

test('the openstack client makes, shows, changes and deletes webhooks', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { client, api, functionId } = await startClient(t);
  const created = await client.json('webhook', 'create', '--function', functionId, '--description', 'D');
  const id = String(created['id']);
  assert.deepEqual(Object.keys(created), WEBHOOK_COLUMNS);
  const { created_at: createdAt, webhook_url: url } = created;
  assert.deepEqual(Object.values(created), [id, null, functionId, 0, 'D', 'default', createdAt, null, url]);
  assert.ok(String(url).endsWith(`/v1/webhooks/${id}/invoke`));

  const { id: otherId } = await api.createFunction({ files: FILES });
  const [list, shown, ...refusals] = await Promise.all([
    client.json<Row[]>('webhook', 'list'),
    client.json('webhook', 'show', id),
    client.refusal('webhook', 'show', UNKNOWN),
    client.refusal('webhook', 'create', '--function', UNKNOWN),
    client.refusal('webhook', 'create', '--function-alias', 'nobody knows it'),
    client.refusal('webhook', 'update', id, '--function-version', '7'),
  ]);
  assert.deepEqual(find(list, id), created);
  assert.deepEqual(shown, created);
  const texts = [
    `Webhook not found [id=${UNKNOWN}] (HTTP 404)`,
    '(HTTP 404)',
    'FunctionAlias not found [name=nobody knows it] (HTTP 404)',
    `FunctionVersion not found [function_id=${functionId}, version_number=7] (HTTP 404)`,
  ];
  for (const [index, text] of texts.entries()) assert.ok(refusals[index]!.includes(text), refusals[index]);
  const words = ['--function-id', otherId, '--function-version', '0', '--description', 'E'];
  const changed = await client.json('webhook', 'update', id, ...words);
  assert.deepEqual([changed['function_id'], changed['function_version'], changed['description']], [otherId, 0, 'E']);

  assert.match(await client.text('webhook', 'delete', id), /accepted/);
  assert.equal((await api.request('GET', `/v1/webhooks/${id}`)).status, 404);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowOf, type Row } from '../support/openstack-client.ts';
import { hasOpenstackClient } from '../support/tools.ts';
import { startWithFunction } from '../support/versions-client.ts';

/** The columns that the client prints. */
const VERSION = [
  'id',
  'function_id',
  'description',
  'version_number',
  'count',
  'project_id',
  'created_at',
  'updated_at',
];
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

const missing = (functionId: string, number: number) =>
  `FunctionVersion not found [function_id=${functionId}, version_number=${number}] (HTTP 404)`;

test('the openstack client publishes, shows and deletes versions', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { client, id, change } = await startWithFunction(t);
  const version = ['function', 'version'];

  const first = await client.json(...version, 'create', 'f', '--description', 'the first');
  assert.deepEqual(Object.keys(first), VERSION);
  assert.match(String(first['created_at']), TIME);
  assert.deepEqual(first, {
    id: first['id'],
    function_id: id,
    description: 'the first',
    version_number: 1,
    count: 0,
    project_id: 'default',
    created_at: first['created_at'],
    updated_at: null,
  });
  const unchanged = await client.refusal(...version, 'create', id);
  assert.match(unchanged, /Function package not changed since the latest version 1\. \(HTTP 403\)/);

  await change('two');
  const second = await client.json(...version, 'create', id);
  assert.deepEqual([second['version_number'], second['description']], [2, null]);
  await client.api.request('POST', '/v1/aliases', { name: 'live', function_id: id, function_version: 2 });
  const [shown, list, noFunction, noVersion, noNumber, inUse] = await Promise.all([
    client.json(...version, 'show', id, '1'),
    client.json<Row[]>(...version, 'list', id),
    client.refusal(...version, 'list', UNKNOWN),
    client.refusal(...version, 'show', id, '3'),
    client.refusal(...version, 'show', id, 'abc'),
    client.refusal(...version, 'delete', id, '2'),
  ]);
  assert.deepEqual(shown, first);
  const rows = list.map((row) => rowOf(VERSION, row));
  assert.deepEqual(rows, [first, second]);
  assert.ok(noFunction.includes(`Function not found [id=${UNKNOWN}] (HTTP 404)`), noFunction);
  assert.ok(noVersion.includes(missing(id, 3)), noVersion);
  assert.match(noNumber, /attribute version_number\. Value: 'abc'\. Wrong type\. Expected an integer\. \(HTTP 400\)/);
  assert.match(inUse, /The function version is still associated with alias\. \(HTTP 403\)/);

  await client.text(...version, 'delete', id, '1');
  const again = await client.refusal(...version, 'delete', id, '1');
  assert.ok(again.includes(missing(id, 1)), again);
});

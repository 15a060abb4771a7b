import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '../support/openstack-client.ts';
import { hasOpenstackClient } from '../support/tools.ts';
import { startWithFunction } from '../support/versions-client.ts';

const missing = (functionId: string, number: number) =>
  `FunctionVersion not found [function_id=${functionId}, version_number=${number}] (HTTP 404)`;

test('the openstack client runs versions and aliases', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { client, id, change, publish } = await startWithFunction(t);
  await publish();
  await change('two');
  await client.api.request('POST', '/v1/aliases', { name: 'live', function_id: id, function_version: 1 });
  const run = ['function', 'execution', 'create'];

  const [byVersion, byAlias, now, later, noVersion, negative, noAlias] = await Promise.all([
    client.json(...run, '--function', 'f', '--function-version', '1'),
    client.json(...run, '--function-alias', 'live'),
    client.json(...run, '--function', id),
    client.json(...run, '--function-alias', 'live', '--async'),
    client.refusal(...run, '--function', id, '--function-version', '2'),
    client.refusal(...run, '--function', id, '--function-version=-1'),
    client.refusal(...run, '--function-alias', 'dead'),
  ]);

  const told = (execution: Row) =>
    ['function_alias', 'function_id', 'function_version', 'status'].map((column) => execution[column]);
  assert.deepEqual(told(byVersion), [null, id, 1, 'success']);
  assert.match(String(byVersion['result']), /"output": "one"/);
  assert.deepEqual(told(byAlias), ['live', id, 1, 'success']);
  assert.match(String(byAlias['result']), /"output": "one"/);
  assert.deepEqual(told(now), [null, id, 0, 'success']);
  assert.match(String(now['result']), /"output": "two"/);
  assert.deepEqual(told(later), ['live', id, 1, 'running']);
  assert.ok(noVersion.includes(missing(id, 2)), noVersion);
  assert.match(negative, /attribute function_version\. Value: '-1'\. Value should be 0 or more\. \(HTTP 400\)/);
  assert.ok(noAlias.includes('FunctionAlias not found [name=dead] (HTTP 404)'), noAlias);

  const ended = await client.api.until(`/v1/executions/${String(later['id'])}`, ({ status }) => status !== 'running');
  assert.match(String(ended['result']), /"output": "one"/);
  const [list, shown] = await Promise.all([
    client.json<Row[]>('function', 'execution', 'list', '--filter', `function_id=${id}`),
    client.json('function', 'version', 'show', id, '1'),
  ]);
  assert.deepEqual(list.map((row) => row['Function_version']).sort(), [0, 1, 1, 1]);
  assert.equal(list.filter((row) => row['Function_alias'] === 'live').length, 2);
  assert.equal(shown['count'], 3);
});

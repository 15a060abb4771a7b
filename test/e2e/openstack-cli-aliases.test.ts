import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowOf, type Row } from '../support/openstack-client.ts';
import { hasOpenstackClient } from '../support/tools.ts';
import { startWithFunction } from '../support/versions-client.ts';

/** The columns that the client prints. */
const ALIAS = ['name', 'function_id', 'description', 'function_version', 'project_id', 'created_at', 'updated_at'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

test('the openstack client makes, moves and deletes aliases', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { client, id, publish } = await startWithFunction(t);
  const alias = ['function', 'alias'];
  await publish();

  const created = await client.json(...alias, 'create', 'live', '--function', 'f', '--function-version', '1');
  assert.deepEqual(Object.keys(created), ALIAS);
  assert.match(String(created['created_at']), TIME);
  assert.deepEqual(created, {
    name: 'live',
    function_id: id,
    description: '',
    function_version: 1,
    project_id: 'default',
    created_at: created['created_at'],
    updated_at: null,
  });
  const [shown, list, sameName, noVersion, unknown, held] = await Promise.all([
    client.json(...alias, 'show', 'live'),
    client.json<Row[]>(...alias, 'list'),
    client.refusal(...alias, 'create', 'live', '--function', id),
    client.refusal(...alias, 'create', 'other', '--function', id, '--function-version', '2'),
    client.refusal(...alias, 'show', 'unknown'),
    client.refusal('function', 'delete', id),
  ]);
  assert.deepEqual(shown, created);
  const rows = list.map((row) => rowOf(ALIAS, row));
  assert.deepEqual(rows, [created]);
  const duplicate = `Duplicate entry for function_aliases: ['project_id', 'name'] (HTTP 400)`;
  assert.ok(sameName.includes(duplicate), sameName);
  const missing = `FunctionVersion not found [function_id=${id}, version_number=2] (HTTP 404)`;
  assert.ok(noVersion.includes(missing), noVersion);
  assert.ok(unknown.includes('FunctionAlias not found [name=unknown] (HTTP 404)'), unknown);
  assert.match(held, /The function is still associated with function alias\(es\)\. \(HTTP 403\)/);

  const [noNumber, moved] = await Promise.all([
    client.refusal(...alias, 'update', 'live', '--function-version', 'x'),
    client.json(...alias, 'update', 'live', '--function-version', '0', '--description', 'now'),
  ]);
  assert.match(noNumber, /attribute function_version\. Value: 'x'\. Wrong type\. Expected an integer\. \(HTTP 400\)/);
  assert.deepEqual(Object.keys(moved), ALIAS);
  assert.match(String(moved['updated_at']), TIME);
  const { updated_at } = moved;
  assert.deepEqual(moved, { ...created, function_version: 0, description: 'now', updated_at });

  const deleted = await client.refusal(...alias, 'delete', 'live', 'unknown');
  assert.match(deleted, /Request to delete function_alias live has been accepted/);
  assert.match(deleted, /FunctionAlias not found \[name=unknown\] \(HTTP 404\)/);
  assert.deepEqual(await client.api.get('/v1/aliases'), { function_aliases: [] });
});

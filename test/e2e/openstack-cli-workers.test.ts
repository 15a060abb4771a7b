import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowOf, type Row } from '../support/openstack-client.ts';
import { hasOpenstackClient } from '../support/tools.ts';
import { startWithFunction } from '../support/versions-client.ts';

/** The columns that the client prints. */
const WORKER = ['function_id', 'worker_name'];
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

test('the openstack client lists, adds and takes away workers', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { client, id, publish } = await startWithFunction(t);
  await publish();
  const { api } = client;
  const listed = async () => {
    const rows = await client.json<Row[]>('function', 'worker', 'list', id);
    return rows.map((row) => rowOf(WORKER, row));
  };
  const path = `/v1/functions/${id}/workers`;
  const workers = async (query = '') => (await api.get<{ workers: Row[] }>(path + query)).workers;

  const up = await client.text('function', 'scaleup', id, '--count', '3');
  assert.match(up, new RegExp(`Request to scale up function ${id} has been accepted`));
  await api.until(path, (answer) => (answer['workers'] as Row[]).length === 3);
  const three = (await workers()).map(({ function_id, worker_name }) => ({ function_id, worker_name }));
  assert.deepEqual(await listed(), three);
  assert.equal(new Set(three.map(({ worker_name }) => worker_name)).size, 3);
  const down = await client.text('function', 'scaledown', id);
  assert.match(down, new RegExp(`Request to scale down function ${id} has been accepted`));
  assert.equal((await listed()).length, 2);

  const [noneToScale, noneToDetach, noVersion, noNumber, detached] = await Promise.all([
    client.refusal('function', 'scaleup', UNKNOWN),
    client.refusal('function', 'detach', UNKNOWN),
    client.refusal('function', 'version', 'detach', id, '2'),
    client.refusal('function', 'version', 'detach', id, 'x'),
    client.text('function', 'detach', id),
  ]);
  for (const refusal of [noneToScale, noneToDetach]) {
    assert.ok(refusal.includes(`Function not found [id=${UNKNOWN}] (HTTP 404)`), refusal);
  }
  assert.match(noVersion, /FunctionVersion not found \[function_id=.*, version_number=2\] \(HTTP 404\)/);
  assert.match(noNumber, /attribute version_number\. Value: 'x'\. Wrong type\..* \(HTTP 400\)/);
  assert.match(detached, new RegExp(`Request to detach function ${id} has been accepted`));
  assert.deepEqual(await workers(), []);

  await api.request('POST', '/v1/executions', { function_id: id, function_version: 1 });
  assert.equal((await workers('?function_version=1')).length, 1);
  const ofVersion = await client.text('function', 'version', 'detach', id, '1');
  assert.match(ofVersion, new RegExp(`Request to detach function ${id}\\(version 1\\) has been accepted`));
  assert.deepEqual(await workers('?function_version=1'), []);
});

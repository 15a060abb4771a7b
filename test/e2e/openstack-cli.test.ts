import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { OpenstackClient, type Row } from '../support/openstack-client.ts';
import { makeFolder, Server } from '../support/server.ts';
import { hasOpenstackClient } from '../support/tools.ts';
import { zipOf } from '../support/zip.ts';

const HELLO = `
def main(name='world'):
    print('greeting', name)
    return 'hello ' + name
`;

async function startClient(t: TestContext): Promise<OpenstackClient> {
  const { path: folder } = makeFolder(t);
  return new OpenstackClient((await Server.start(t, folder)).url, folder);
}

test('the openstack client makes, shows and deletes runtimes', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const client = await startClient(t);

  const image = 'openstackqinling/python3-runtime';
  const created = await client.json('runtime', 'create', image, '--name', 'mine', '--description', 'Mine');
  assert.deepEqual([created['name'], created['image'], created['is_public']], ['mine', image, true]);
  const id = String(created['id']);
  await client.api.until(`/v1/runtimes/${id}`, ({ status }) => status === 'available');

  const [shown, pool, list, refusal] = await Promise.all([
    client.json('runtime', 'show', id),
    client.json('runtime', 'pool', 'show', id),
    client.json<Row[]>('runtime', 'list'),
    client.refusal('runtime', 'show', '00000000-0000-4000-8000-000000000000'),
  ]);
  assert.equal(shown['status'], 'available');
  assert.equal(pool['name'], id);
  assert.match(JSON.stringify(pool['capacity']), /total/);
  assert.ok(list.some((row) => row['Id'] === id && row['Name'] === 'mine'));
  assert.match(refusal, /\(HTTP 404\)/);

  assert.match(await client.text('runtime', 'delete', id), /has been accepted/);
  assert.equal((await client.api.request('GET', `/v1/runtimes/${id}`)).status, 404);
});

test('the openstack client makes, changes, fetches and deletes functions', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const client = await startClient(t);
  const runtimeId = (await client.api.findRuntime('python3'))!;
  const file = client.write('hello.py', HELLO);
  const archive = zipOf({ 'main.py': HELLO, 'data/à.txt': 'é' });
  const archivePath = client.write('package.zip', archive);

  const [fromFile, fromPackage] = await Promise.all([
    client.json('function', 'create', '--name', 'f', '--runtime', 'python3', '--file', file, '--entry', 'hello.main'),
    client.json('function', 'create', '--name', 'p', '--runtime', runtimeId, '--package', archivePath),
  ]);
  assert.deepEqual([fromFile['entry'], fromFile['runtime_id']], ['hello.main', runtimeId]);
  assert.deepEqual([fromPackage['entry'], fromPackage['count']], ['main.main', 0]);

  const download = join(client.folder, 'download.zip');
  const [list, shown, changed, inUse] = await Promise.all([
    client.json<Row[]>('function', 'list'),
    client.json('function', 'show', 'p'),
    client.json('function', 'update', 'f', '--description', 'changed', '--timeout', '7', '--memory-size', '67108864'),
    client.refusal('runtime', 'delete', runtimeId),
    client.text('function', 'download', String(fromPackage['id']), '-o', download),
  ]);
  assert.deepEqual(list.map((row) => row['Name']).sort(), ['f', 'p']);
  assert.equal(shown['id'], fromPackage['id']);
  const { description, timeout, memory_size } = changed;
  assert.deepEqual(
    { description, timeout, memory_size },
    { description: 'changed', timeout: 7, memory_size: 67108864 },
  );
  assert.match(inUse, /still in use[^]*\(HTTP 403\)/);
  assert.ok(readFileSync(download).equals(archive), 'the download is the upload, byte for byte');

  const better = client.write('better.zip', zipOf({ 'main.py': 'def main():\n    return "better"\n' }));
  await client.text('function', 'update', 'p', '--package', better);
  const execution = await client.api.execute(String(fromPackage['id']));
  assert.equal(execution['output'], '{"result": "better"}');

  assert.match(await client.text('function', 'delete', 'f', 'p'), /accepted[^]*accepted/);
  assert.deepEqual(await client.api.get('/v1/functions'), { functions: [] });
});

test('the openstack client runs functions and reads what became of them', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const client = await startClient(t);
  const { id: functionId } = await client.api.createFunction({ files: { 'main.py': HELLO } });
  const { id: failingId } = await client.api.createFunction({
    files: { 'main.py': 'def main():\n    return 1 / 0\n' },
  });
  const create = ['function', 'execution', 'create', '--function'];

  const [executed, failed, later] = await Promise.all([
    client.json(...create, functionId, '--input', '{"name": "Qinling"}'),
    client.json(...create, failingId, '--sync'),
    client.json(...create, functionId, '--input', 'text', '--async'),
  ]);
  assert.deepEqual([executed['status'], executed['input']], ['success', '{"name": "Qinling"}']);
  assert.match(String(executed['result']), /"output": "hello Qinling"/);
  assert.equal(failed['status'], 'failed');
  assert.match(String(failed['result']), /division by zero/);
  assert.deepEqual([later['status'], later['sync']], ['running', false]);
  const id = String(executed['id']);
  const ended = await client.api.until(`/v1/executions/${String(later['id'])}`, ({ status }) => status !== 'running');
  assert.equal(ended['status'], 'success', JSON.stringify(ended));

  const list = ['function', 'execution', 'list', '--filter', `function_id=${functionId}`];
  const [successes, none, shown, log, refusal] = await Promise.all([
    client.json<Row[]>(...list, '--filter', 'status=success'),
    client.json<Row[]>(...list, '--filter', 'status=neq:success'),
    client.json('function', 'execution', 'show', id),
    client.text('function', 'execution', 'log', 'show', id),
    client.refusal(...create, '00000000-0000-4000-8000-000000000000'),
  ]);
  assert.deepEqual(successes.map((row) => row['Id']).sort(), [id, later['id']].sort());
  assert.deepEqual(none, []);
  assert.equal(shown['result'], executed['result']);
  assert.equal(log.trim(), `Start execution: ${id}\ngreeting Qinling\nFinished execution: ${id}`);
  assert.match(refusal, /not found[^]*\(HTTP 404\)/i);

  assert.match(await client.text('function', 'execution', 'delete', '--execution', id), /accepted/);
  assert.equal((await client.api.request('GET', `/v1/executions/${id}`)).status, 404);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { knownUser, writeCredentials, type KnownUser } from '../support/credentials.ts';
import { OpenstackClient, type Row } from '../support/openstack-client.ts';
import { makeFolder, Server } from '../support/server.ts';
import { hasOpenstackClient } from '../support/tools.ts';
import { zipOf } from '../support/zip.ts';

const NOT_ALLOWED = /Operation not allowed \(HTTP 403\)/;

/** The clients of a member of one project, of one of another, and of an administrator of a third; and of nobody. */
async function startClients(t: TestContext) {
  const { path: folder } = makeFolder(t);
  const tenant = knownUser('tenant', 'one');
  const neighbour = knownUser('neighbour', 'two', 'member');
  const admin = knownUser('admin', 'ops', 'admin');
  const environment = {
    QINLING_API_HOST: '127.0.0.1',
    QINLING_AUTH_TYPE: 'static',
    QINLING_AUTH_CREDENTIALS_FILE: await writeCredentials(folder, [tenant, neighbour, admin]),
  };
  const { url } = await Server.start(t, folder, { environment });
  const client = (...auth: readonly string[]) => new OpenstackClient(url, folder, ['--os-auth-type', ...auth]);
  const withToken = ({ token }: KnownUser) => client('admin_token', '--os-token', token);
  const withPassword = ({ name, password }: KnownUser) =>
    client('http_basic', '--os-username', name, '--os-password', password);
  return {
    tenant,
    client,
    withToken,
    withPassword,
    asTenant: withToken(tenant),
    asNeighbour: withPassword(neighbour),
    asAdmin: withToken(admin),
  };
}

/** Until a runtime is available. */
async function available(client: OpenstackClient, id: string): Promise<void> {
  for (;;) {
    const { status } = await client.json('runtime', 'show', id);
    if (status === 'available') return;
    await sleep(50);
  }
}

function ids(rows: readonly Row[]): unknown[] {
  return rows.map((row) => row['Id']);
}

test('the openstack client proves who it is by a token or by a password, and hears when it does not', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { tenant, client, withToken, withPassword } = await startClients(t);

  const [byToken, byPassword, ...refusals] = await Promise.all([
    withToken(tenant).json<Row[]>('runtime', 'list'),
    withPassword(tenant).json<Row[]>('runtime', 'list'),
    client('admin_token', '--os-token', 'hunter2').refusal('runtime', 'list'),
    client('http_basic', '--os-username', 'tenant', '--os-password', 'hunter2').refusal('function', 'list'),
    client('none').refusal('function', 'list'),
  ]);
  assert.deepEqual(byToken, byPassword);
  assert.ok(byToken.length > 0);
  for (const refusal of refusals) {
    assert.match(refusal, /The credentials of the request are not valid\. \(HTTP 401\)/);
    assert.doesNotMatch(refusal, /hunter2|notused/);
  }
});

test('the openstack client makes runtimes as an administrator, who may keep one to the own project', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { asTenant, asAdmin } = await startClients(t);

  const [shared, hidden, refusal] = await Promise.all([
    asAdmin.json('runtime', 'create', 'python3', '--name', 'shared'),
    asAdmin.json('runtime', 'create', 'python3', '--name', 'hidden', '--private'),
    asTenant.refusal('runtime', 'create', 'python3', '--name', 'mine'),
  ]);
  assert.match(refusal, NOT_ALLOWED);
  assert.deepEqual([shared['project_id'], hidden['is_public']], ['ops', false]);
  const [sharedId, hiddenId] = [String(shared['id']), String(hidden['id'])];
  await Promise.all([available(asAdmin, sharedId), available(asAdmin, hiddenId)]);

  const [ofAdmin, ofTenant, ...refusals] = await Promise.all([
    asAdmin.json<Row[]>('runtime', 'list'),
    asTenant.json<Row[]>('runtime', 'list'),
    asTenant.refusal('runtime', 'show', hiddenId),
    asTenant.refusal('runtime', 'delete', sharedId),
    asTenant.refusal('runtime', 'pool', 'show', sharedId),
  ]);
  assert.ok(ids(ofAdmin).includes(hiddenId) && ids(ofAdmin).includes(sharedId));
  assert.ok(!ids(ofTenant).includes(hiddenId) && ids(ofTenant).includes(sharedId));
  assert.match(refusals[0]!, /\(HTTP 404\)/);
  for (const text of refusals.slice(1)) assert.match(text, NOT_ALLOWED);
  await Promise.all([asAdmin.text('runtime', 'delete', sharedId), asAdmin.text('runtime', 'delete', hiddenId)]);
});

test('the openstack client sees functions and executions of its project, an administrator all', async (t) => {
  if (!hasOpenstackClient(t)) return;
  const { asTenant, asNeighbour, asAdmin } = await startClients(t);
  const archive = zipOf({ 'main.py': 'def main():\n    return 1\n', 'large.txt': 'x'.repeat(100_000) });
  const path = asTenant.write('package.zip', archive);
  const create = ['function', 'create', '--runtime', 'python3', '--package', path, '--name'];

  const [mine, theirs] = await Promise.all([
    asTenant.json(...create, 'f'),
    asNeighbour.json(...create, 'f'), // the first request of this user: his password is checked while the package comes
  ]);
  assert.deepEqual([mine['project_id'], theirs['project_id']], ['one', 'two']);
  const id = String(mine['id']);
  const execution = await asTenant.json('function', 'execution', 'create', '--function', id);
  assert.deepEqual([execution['status'], execution['project_id']], ['success', 'one']);

  const list = ['function', 'list'];
  const all = ['--filter', 'all_projects=true'];
  const download = join(asTenant.folder, 'download.zip');
  const [own, refusal, ofAdmin, ofAll, ofOne, byAdmin] = await Promise.all([
    asTenant.json<Row[]>(...list, '--filter', 'project_id=two'),
    asTenant.refusal(...list, ...all),
    asAdmin.json<Row[]>(...list),
    asAdmin.json<Row[]>(...list, ...all),
    asAdmin.json<Row[]>(...list, '--filter', 'project_id=one'),
    asAdmin.json('function', 'show', id),
    asAdmin.text('function', 'download', id, '-o', download),
  ]);
  assert.deepEqual(ids(own), [id], 'who is no administrator sees his own, whatever project he names');
  assert.match(refusal, NOT_ALLOWED);
  assert.deepEqual(ofAdmin, []);
  assert.deepEqual(ids(ofAll).sort(), [id, theirs['id']].sort());
  assert.deepEqual(ids(ofOne), [id]);
  assert.equal(byAdmin['project_id'], 'one');
  assert.ok(readFileSync(download).equals(archive));

  const executions = ['function', 'execution', 'list'];
  const [ofTenant, ofNeighbour, everybodys, ...refusals] = await Promise.all([
    asTenant.json<Row[]>(...executions),
    asNeighbour.json<Row[]>(...executions),
    asAdmin.json<Row[]>(...executions, ...all),
    asNeighbour.refusal('function', 'show', id),
    asNeighbour.refusal('function', 'delete', id),
    asNeighbour.refusal('function', 'execution', 'create', '--function', id),
    asNeighbour.refusal('function', 'execution', 'log', 'show', String(execution['id'])),
  ]);
  assert.deepEqual(ids(ofTenant), [execution['id']]);
  assert.deepEqual(ofNeighbour, []);
  assert.deepEqual(ids(everybodys), [execution['id']]);
  for (const text of refusals) assert.match(text, /\(HTTP 404\)/);

  const ofAdminDelete = await asAdmin.refusal('function', 'delete', id);
  assert.match(ofAdminDelete, /Function can only be deleted by its owner\. \(HTTP 403\)/);
  assert.match(await asTenant.text('function', 'delete', id), /accepted/);
});

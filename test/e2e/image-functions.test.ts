import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { DockerClient } from '../../gateway/orchestrator/docker/docker-client.ts';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { TEST_IMAGE, startDocker } from '../support/docker-daemon.ts';
import { OpenstackClient } from '../support/openstack-client.ts';
import { makeFolder, Server } from '../support/server.ts';
import { hasOpenstackClient, hasPrograms } from '../support/tools.ts';

const PACKAGES = { dockerd: 'docker.io', busybox: 'busybox-static', unshare: 'util-linux', tar: 'tar' };

interface Rig {
  readonly api: Api;
  readonly docker: DockerClient;
  readonly server: Server;
  restart(): Promise<Rig>;
}

async function open(t: TestContext, environment: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const { host, client: docker } = await startDocker(t);
  const folder = makeFolder(t).path;
  const settings = { QINLING_LOCAL_DOCKER_HOST: host, QINLING_LOCAL_DOCKER_NETWORK: 'none', ...environment };
  const start = async (): Promise<Rig> => {
    const server = await Server.start(t, folder, { environment: settings });
    return { server, docker, api: new Api(server.url), restart: start };
  };
  return start();
}

async function createImageFunction(api: Api, more: object = {}): Promise<Resource> {
  const answer = await api.request('POST', '/v1/functions', { code: { image: TEST_IMAGE }, ...more });
  assert.equal(answer.status, 201, answer.text);
  return JSON.parse(answer.text) as Resource;
}

/** `input` as it is sent: any text. */
async function run(api: Api, id: string, input: string | null): Promise<{ execution: Resource; log: string }> {
  const answer = await api.request('POST', '/v1/executions', { function_id: id, input });
  assert.equal(answer.status, 201, answer.text);
  const execution = JSON.parse(answer.text) as Resource;
  const log = (await api.log(execution.id)).split('\n').filter((line) => !/^(Start|Finished) execution/.test(line));
  return { execution, log: log.join('\n').trim() };
}

const containers = (docker: DockerClient) => docker.json<unknown[]>('GET', '/containers/json?all=1');

test('an image function runs a container for each execution, on a Docker daemon', async (t) => {
  if (!hasPrograms(t, PACKAGES)) return;
  const { api, docker, server } = await open(t);
  const created = await createImageFunction(api, { timeout: 30, entry: 'a.b' });
  const { id } = created;

  await t.test('it has neither runtime nor entry, and its code as it was given', () => {
    assert.deepEqual([created['runtime_id'], created['entry']], [null, null]);
    assert.deepEqual(created['code'], { source: 'image', image: TEST_IMAGE });
  });

  await t.test('its arguments are the words of the input, or the items, or the object as JSON', async () => {
    const cases: [string | null, string][] = [
      [null, '[as]\n[the image says]'],
      ['two  words', '[two]\n[words]'],
      ['{"__function_input": ["one", "with space", 3]}', '[one]\n[with space]\n[3]'],
      ['{"key": "a b"}', '[{"key": "a b"}]'],
    ];
    for (const [input, printed] of cases) {
      const { execution, log } = await run(api, id, input);
      assert.equal(execution['status'], 'success', JSON.stringify(execution));
      assert.equal(log, printed);
      const result = resultOf(execution);
      assert.deepEqual(Object.keys(result), ['duration']);
      assert.ok(Number.isInteger(result.duration));
    }
  });

  await t.test('it ends as its program does', async () => {
    const { execution, log } = await run(api, id, 'fail 3');
    assert.equal(execution['status'], 'failed');
    assert.match(String(resultOf(execution).output), /too much resource consumption/);
    assert.equal(log, 'it failed');
  });

  await t.test('it is nobody, and writes nowhere but below /tmp', async () => {
    const { log } = await run(api, id, 'who');
    assert.deepEqual(log.split('\n'), ['65533', '65533', 'wrote /tmp']);
  });

  await t.test('it may use what its memory limit says', async () => {
    const { execution } = await run(api, id, 'eat');
    assert.equal(execution['status'], 'failed', JSON.stringify(execution));
  });

  await t.test('one that runs too long is ended', async () => {
    const { id: short } = await createImageFunction(api, { timeout: 1 });
    const { execution, log } = await run(api, short, 'sleep 600');
    assert.equal(execution['status'], 'failed');
    const { output, duration = 0 } = resultOf(execution);
    assert.match(String(output), /Function execution timeout/);
    assert.ok(duration >= 1);
    assert.equal(log, 'started');
  });

  await t.test('an asynchronous one runs later', async () => {
    const answer = await api.request('POST', '/v1/executions', { function_id: id, input: 'later', sync: false });
    const { id: executionId } = JSON.parse(answer.text) as Resource;
    const ended = await api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
    assert.equal(ended['status'], 'success');
    assert.match(await api.log(executionId), /\[later\]/);
  });

  await t.test('an image that is not there makes an error, and no container', async () => {
    const { id: unknown } = await createImageFunction(api, { code: { image: 'localhost:1/no/such:image' } });
    const { execution } = await run(api, unknown, null);
    assert.equal(execution['status'], 'error', JSON.stringify(execution));
    assert.match(await api.log(execution.id), /\nThe image could not be pulled\.\n$/);
  });

  await t.test('what is for packages only is refused', async () => {
    const status = async (method: string, path: string, body?: object) =>
      (await api.request(method, path, body)).status;
    assert.equal(await status('GET', `/v1/functions/${id}?download=true`), 405);
    assert.equal(await status('POST', `/v1/functions/${id}/versions`, {}), 403);
    assert.equal(await status('POST', `/v1/functions/${id}/scale_up`, {}), 400);
    assert.equal(await status('PUT', `/v1/functions/${id}`, { code: { image: 'other:1' } }), 400);
    assert.equal(await status('PUT', `/v1/functions/${id}`, { cpu: 200 }), 400);
    assert.equal(await status('PUT', `/v1/functions/${id}`, { name: 'other' }), 200);
    for (const code of [{ source: 'image' }, { image: '' }, { image: '--privileged' }, { image: 'a b' }]) {
      assert.equal(await status('POST', '/v1/functions', { code }), 400, JSON.stringify(code));
    }
  });

  await t.test('the openstack client makes and runs one', async (own) => {
    if (!hasOpenstackClient(own)) return;
    const client = new OpenstackClient(server.url, makeFolder(own).path);
    const made = await client.json('function', 'create', '--name', 'tool', '--image', TEST_IMAGE, '--timeout', '30');
    const { id: madeId } = made as { id: string };
    const execution = await client.json('function', 'execution', 'create', '--function', 'tool', '--input', 'by hand');
    assert.equal(execution['status'], 'success', JSON.stringify(execution));
    const log = await client.text('function', 'execution', 'log', 'show', String(execution['id']));
    assert.match(log, /\[by\]\n\[hand\]/);
    await client.text('function', 'execution', 'delete', '--execution', String(execution['id']));
    await client.text('function', 'delete', madeId);
  });

  await t.test('the beginning of a long log is kept, and a line says that there was more', async () => {
    const { log } = await run(api, id, 'flood 30000000');
    assert.match(log, /^the first line\none more line\n/);
    assert.match(log, /\[log cut: only the first 65536 bytes are kept\]$/);
  });

  await t.test('what it writes into a volume of its image counts as its memory', async () => {
    const small = await run(api, id, 'fill 1000000');
    assert.deepEqual([small.execution['status'], small.log], ['success', 'filled']);
    const large = await run(api, id, 'fill 100000000');
    assert.deepEqual([large.execution['status'], large.log.includes('filled')], ['failed', false]);
    assert.deepEqual((await docker.json<{ Volumes: unknown[] | null }>('GET', '/volumes')).Volumes ?? [], []);
  });

  await t.test('nothing is left of all that', async () => {
    assert.deepEqual(await containers(docker), []);
    assert.equal((await api.request('DELETE', `/v1/functions/${id}`)).status, 204);
  });
});

test('no more image functions run at a time than are allowed; the others wait', async (t) => {
  if (!hasPrograms(t, PACKAGES)) return;
  const { api, docker } = await open(t, { QINLING_ENGINE_MAX_IMAGE_EXECUTIONS: '2' });
  const { id } = await createImageFunction(api, { timeout: 60 });
  let most = 0;
  let isOver = false;
  const watch = (async () => {
    while (!isOver) most = Math.max(most, (await containers(docker)).length);
  })();
  const runs = await Promise.all(Array.from({ length: 5 }, () => run(api, id, 'sleep 0.5')));
  isOver = true;
  await watch;
  for (const { execution } of runs) assert.equal(execution['status'], 'success', JSON.stringify(execution));
  assert.equal(most, 2);
});

test('a container whose gateway was killed brings its end to the next one', async (t) => {
  if (!hasPrograms(t, PACKAGES)) return;
  const first = await open(t);
  const { id } = await createImageFunction(first.api, { timeout: 60 });
  const body = { function_id: id, input: 'sleep 3', sync: false };
  const { id: executionId } = JSON.parse((await first.api.request('POST', '/v1/executions', body)).text) as Resource;
  const running = () => first.docker.json<unknown[]>('GET', '/containers/json');
  while ((await running()).length === 0) await new Promise((resolve) => setImmediate(resolve));
  await first.server.kill();

  const second = await first.restart();
  const ended = await second.api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
  assert.equal(ended['status'], 'success', JSON.stringify(ended));
  assert.match(await second.api.log(executionId), /started/);
  while ((await containers(second.docker)).length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a Docker daemon that is away keeps no gateway from its start', async (t) => {
  const folder = makeFolder(t);
  const environment = { QINLING_LOCAL_DOCKER_HOST: `unix://${folder.shared}/nobody.sock` };
  const api = new Api((await Server.start(t, folder.path, { environment })).url);
  const { id } = await createImageFunction(api);
  const { execution } = await run(api, id, null);
  assert.equal(execution['status'], 'error', JSON.stringify(execution));
});

test('without a Docker daemon image functions are refused', async (t) => {
  const { url } = await Server.start(t, makeFolder(t).path);
  const answer = await new Api(url).request('POST', '/v1/functions', { code: { image: TEST_IMAGE } });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /Image functions are not supported by this deployment/);
});

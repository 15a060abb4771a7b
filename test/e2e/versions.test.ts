import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Api, type Answer, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

const POLL_MS = 50;
/** Enough for every test here, also where the machine has fewer processors. */
const WORKERS = { QINLING_LOCAL_WORKERS: '6' };

const codeOf = (answer: string) => `
def main(name='you'):
    print('running ${answer}')
    return '${answer} ' + name
`;

interface Worker {
  readonly function_id: string;
  readonly function_version: number;
  readonly worker_name: string;
}

/** A server with a function that says `one`, and what the tests do with it. */
async function startWithFunction(t: TestContext) {
  const { path: folder } = makeFolder(t);
  const server = await Server.start(t, folder, { environment: WORKERS });
  const api = new Api(server.url);
  const { id } = await api.createFunction({ files: { 'main.py': codeOf('one') }, cpu: 300 });
  return { folder, server, id, ...actionsOf(api, id) };
}

function actionsOf(api: Api, id: string) {
  const path = `/v1/functions/${id}`;
  const expect = (answer: Answer, status: number): Answer => {
    assert.equal(answer.status, status, answer.text);
    return answer;
  };
  const post = async (where: string, status: number, body?: unknown) =>
    expect(await api.request('POST', where, body), status);
  const change = (answer: string) => api.changeFunction(id, { files: { 'main.py': codeOf(answer) } });
  const publish = async () => JSON.parse((await post(`${path}/versions`, 201, {})).text) as Resource;
  /** Runs it; resolves with what it returned, and `warm` or `cold`. */
  const run = async (named: object): Promise<[string, string]> => {
    const answer = await post('/v1/executions', 201, named);
    const { status, output } = JSON.parse(answer.text) as { status: string; output: string };
    assert.equal(status, 'success', answer.text);
    const start = /start;desc="(\w+)"/.exec(answer.headers.get('server-timing') ?? '')?.[1] ?? 'unknown';
    return [(JSON.parse(output) as { result: string }).result, start];
  };
  const workers = async (version = 0) => {
    const { workers: list } = await api.get<{ workers: Worker[] }>(`${path}/workers?function_version=${version}`);
    for (const worker of list) assert.deepEqual([worker.function_id, worker.function_version], [id, version]);
    return list.map(({ worker_name: name }) => name);
  };
  /** Asks again until there are so many (the runner's time limit ends a wait for ever). */
  const untilWorkers = async (count: number, version = 0) => {
    for (;;) {
      const names = await workers(version);
      if (names.length === count) return names;
      await sleep(POLL_MS);
    }
  };
  const untilAvailable = async (available: number) => {
    const runtimeId = await api.findRuntime('python3');
    await api.until(`/v1/runtimes/${runtimeId}/pool`, ({ capacity }) => {
      assert.equal((capacity as { total: number }).total, 6);
      return (capacity as { available: number }).available === available;
    });
  };
  return { api, path, post, change, publish, run, workers, untilWorkers, untilAvailable };
}

test('a version runs the code it was published with, whatever the function became, also after a restart', async (t) => {
  const { folder, server, id, run, change, publish, api, path } = await startWithFunction(t);

  assert.equal((await publish())['version_number'], 1);
  assert.deepEqual(await run({ function_id: id }), ['one you', 'cold']);
  await change('two');
  assert.deepEqual(await run({ function_id: id, function_version: 1 }), ['one you', 'cold']);
  assert.deepEqual(await run({ function_id: id }), ['two you', 'cold']);
  assert.equal((await publish())['version_number'], 2);
  await change('three');
  const expected: [number, string][] = [
    [0, 'three Qinling'],
    [1, 'one Qinling'],
    [2, 'two Qinling'],
  ];
  for (const [version, result] of expected) {
    const input = '{"name": "Qinling"}';
    assert.equal((await run({ function_id: id, function_version: version, input }))[0], result);
  }
  assert.deepEqual(await run({ function_id: id, function_version: 1 }), ['one you', 'warm']);

  const counts = async (from: Api) => {
    const record = await from.get<Resource>(path);
    const { function_versions: versions } = await from.get<{ function_versions: Resource[] }>(`${path}/versions`);
    return [record['count'], ...versions.map(({ count }) => count)];
  };
  assert.deepEqual(await counts(api), [3, 3, 1]);
  await server.stop();
  const again = await Server.start(t, folder, { environment: WORKERS });
  const then = actionsOf(new Api(again.url), id);
  assert.deepEqual(await counts(then.api), [3, 3, 1]);
  assert.deepEqual(await then.run({ function_id: id, function_version: 1 }), ['one you', 'cold']);
  await again.stop();
});

test('an alias is moved between versions while it is called, and each call runs one of them', async (t) => {
  const { id, run, change, publish, api, post } = await startWithFunction(t);
  await publish();
  await change('two');
  await publish();
  await post('/v1/aliases', 201, { name: 'live', function_id: id, function_version: 1 });

  assert.deepEqual(await run({ function_alias: 'live' }), ['one you', 'cold']);
  assert.deepEqual(await run({ function_alias: 'live' }), ['one you', 'warm']);
  const moved = await api.request('PUT', '/v1/aliases/live', { function_version: 2 });
  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual(await run({ function_alias: 'live' }), ['two you', 'cold']);
  assert.deepEqual(await run({ function_alias: 'live' }), ['two you', 'warm']);
  await api.request('PUT', '/v1/aliases/live', { function_version: 1 });
  assert.deepEqual(await run({ function_alias: 'live' }), ['one you', 'warm']);

  let isDone = false;
  const callers = Array.from({ length: 3 }, async () => {
    const seen: string[] = [];
    while (!isDone) seen.push((await run({ function_alias: 'live' }))[0]);
    return seen;
  });
  for (let round = 0; round < 20; round++) {
    await api.request('PUT', '/v1/aliases/live', { function_version: round % 2 === 0 ? 2 : 1 });
  }
  isDone = true;
  for (const result of (await Promise.all(callers)).flat()) assert.match(result, /^(one|two) you$/);
  assert.deepEqual(await run({ function_alias: 'live' }), ['one you', 'warm']);
});

test('workers come and go by hand: the first call is warm, running calls end, and the pool shows it', async (t) => {
  const { id, path, run, post, workers, untilWorkers, untilAvailable, publish } = await startWithFunction(t);
  await publish();
  await untilAvailable(6);

  await post(`${path}/scale_up`, 202, { count: 2 });
  await post(`${path}/versions/1/scale_up`, 202, { count: 1 });
  const both = [...(await untilWorkers(2)), ...(await untilWorkers(1, 1))];
  assert.equal(new Set(both).size, 3, 'each worker has one version');
  await untilAvailable(3);
  assert.deepEqual(await run({ function_id: id }), ['one you', 'warm']);
  assert.deepEqual(await run({ function_id: id, function_version: 1 }), ['one you', 'warm']);

  await post(`${path}/scale_up`, 202, { count: 50 });
  await untilWorkers(5);
  await untilAvailable(0);
  await post(`${path}/scale_down`, 202, { count: 3 });
  assert.equal((await workers()).length, 2);
  await untilAvailable(3);
  await post(`${path}/scale_down`, 202, { count: 3 });
  await post(`${path}/scale_down`, 202, { count: 3 });
  assert.equal((await workers()).length, 1);

  await post(`${path}/detach`, 202);
  await untilWorkers(0);
  assert.equal((await workers(1)).length, 1);
  await post(`${path}/versions/1/detach`, 202);
  await untilAvailable(6);
  assert.deepEqual(await run({ function_id: id, function_version: 1 }), ['one you', 'cold']);
});

test('a call that runs when its function is detached ends as if nothing was', async (t) => {
  const { api, post } = await startWithFunction(t);
  const { shared } = makeFolder(t);
  const started = `${shared}/started`;
  const waiting = `
import os, time

def main(started, go):
    open(started, 'w').close()
    while not os.path.exists(go):
        time.sleep(0.01)
    return 'ended well'
`;
  const { id } = await api.createFunction({ files: { 'main.py': waiting }, timeout: 60 });
  const slow = actionsOf(api, id);
  const running = slow.run({ function_id: id, input: JSON.stringify({ started, go: `${shared}/go` }) });
  while (!existsSync(started)) await sleep(POLL_MS);

  await post(`${slow.path}/detach`, 202);
  assert.equal((await slow.workers()).length, 1, 'it holds its worker to its end');
  await writeFile(`${shared}/go`, '');

  assert.equal((await running)[0], 'ended well');
  await slow.untilWorkers(0);
});

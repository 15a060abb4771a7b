import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

const JOBS = 20;
/** Seconds; the others wait for so long before they take a killed gateway for gone. */
const LEASE = '6';

/** Says that it runs, and then waits until it is let go. */
const WAITS = `
import os, time

def main(folder, number):
    os.umask(0)
    line = os.open(os.path.join(folder, 'runs'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(line, ('%d\\n' % number).encode())
    os.close(line)
    while not os.path.exists(os.path.join(folder, 'go')):
        time.sleep(0.05)
    return number
`;

async function startTwo(t: TestContext, environment: Readonly<Record<string, string>> = {}) {
  const [{ path: common, shared }, { path: first }, { path: second }] = [makeFolder(t), makeFolder(t), makeFolder(t)];
  const sharing = {
    QINLING_DATABASE_CONNECTION: `sqlite:///${join(common, 'qinling.sqlite')}`,
    QINLING_STORAGE_FILE_SYSTEM_DIR: join(common, 'packages'),
    QINLING_DEFAULT_GATEWAY_LEASE: LEASE,
    ...environment,
  };
  const servers = await Promise.all([first, second].map((folder) => Server.start(t, folder, { environment: sharing })));
  const [a, b] = servers.map(({ url }) => new Api(url));
  return { servers, a: a!, b: b!, shared };
}

async function listAll(api: Api, path: string, key: string): Promise<Resource[]> {
  return (await api.get<Record<string, Resource[]>>(path))[key]!;
}

test('two gateways that start together on a new database offer each runtime once', async (t) => {
  const { a, b, servers } = await startTwo(t);

  const runtimes = await listAll(a, '/v1/runtimes', 'runtimes');

  const names = runtimes.map(({ name }) => name);
  assert.ok(names.includes('python3'));
  assert.equal(new Set(names).size, names.length, names.join(' '));
  assert.deepEqual(
    (await listAll(b, '/v1/runtimes', 'runtimes')).map(({ id }) => id),
    runtimes.map(({ id }) => id),
  );
  for (const server of servers) await server.stop();
});

test('what is changed through one gateway the other knows soon', async (t) => {
  const { a, b } = await startTwo(t);
  const main = (text: string) => `def main():\n    return '${text}'\n\n\ndef other():\n    return 'other'\n`;
  const { id } = await a.createFunction({ files: { 'main.py': main('first') } });
  assert.equal(resultOf(await b.execute(id)).output, 'first'); // and keeps it in memory

  assert.equal((await a.request('PUT', `/v1/functions/${id}`, { entry: 'main.other' })).status, 200);
  while (resultOf(await b.execute(id)).output !== 'other') await sleep(100);
  const created = await b.request('POST', '/v1/runtimes', { image: 'python3', name: 'of b' });
  const { id: runtimeId } = JSON.parse(created.text) as Resource;
  const path = `/v1/runtimes/${runtimeId}`;
  const statusOnA = async () => {
    const { status, text } = await a.request('GET', path);
    return status === 200 ? (JSON.parse(text) as Resource)['status'] : status;
  };
  while ((await statusOnA()) !== 'available') await sleep(100);
  assert.equal((await a.request('DELETE', path)).status, 204);
  while ((await b.request('GET', path)).status !== 404) await sleep(100);
});

test('jobs that are due at the same time run once each, whichever of two gateways has them', async (t) => {
  const { a, b } = await startTwo(t);
  const { id: functionId } = await a.createFunction({ files: { 'main.py': 'def main(n):\n    return n\n' } });
  const jobs = await createDueTogether([a, b], functionId);

  for (const job of jobs) await b.until(`/v1/jobs/${job.id}`, ({ status }) => status === 'done');
  const executions = await listAll(a, `/v1/executions?function_id=${functionId}`, 'executions');

  const made = executions.map(({ description }) => description);
  assert.deepEqual(made.sort(), jobs.map(({ id }) => `Created by Job ${id}`).sort());
  for (const { id } of executions) {
    const ended = await b.until(`/v1/executions/${id}`, ({ status }) => status !== 'running');
    assert.equal(ended['status'], 'success', JSON.stringify(ended));
  }
  assert.equal((await a.get<Resource>(`/v1/functions/${functionId}`))['count'], JOBS);
});

/** Jobs for one second that is soon; on a slow machine that is later than at first thought. */
async function createDueTogether(apis: readonly Api[], functionId: string): Promise<Resource[]> {
  for (let leadMs = 8_000; ; leadMs *= 2) {
    const due = new Date(Date.now() + leadMs);
    const pattern = `${due.getUTCMinutes()} ${due.getUTCHours()} * * * ${due.getUTCSeconds()}`;
    const jobs = await Promise.all(
      Array.from({ length: JOBS }, async (_, n) => {
        const body = { function_id: functionId, pattern, count: 1, function_input: { n } };
        const { status, text } = await apis[n % apis.length]!.request('POST', '/v1/jobs', body);
        assert.equal(status, 201, text);
        return JSON.parse(text) as Resource;
      }),
    );
    const expected = `${due.toISOString().slice(0, 19)}Z`;
    if (jobs.every((job) => job['next_execution_time'] === expected)) return jobs;
    for (const { id } of jobs) await apis[0]!.request('DELETE', `/v1/jobs/${id}`);
  }
}

test('when a gateway is killed its executions under way end in error, those that wait run elsewhere, no other is touched', async (t) => {
  const few = { QINLING_LOCAL_WORKERS: '2', QINLING_ENGINE_FUNCTION_CONCURRENCY: '1' };
  const { a, b, servers, shared } = await startTwo(t, few);
  const { id: functionId } = await a.createFunction({ files: { 'main.py': WAITS }, timeout: 300 });
  const run = (api: Api, number: number) => api.executeLater(functionId, { folder: shared, number });
  const [onA, onB] = [[await run(a, 0), await run(a, 1)], [] as string[]];
  for (let number = 2; number < 6; number++) onB.push(await run(b, number));
  while (readRuns(shared).length < 4) await sleep(50);
  const startedOnB = readRuns(shared).filter((number) => number >= 2);
  assert.equal(startedOnB.length, 2, 'each gateway runs two at a time');

  await servers[1]!.kill();
  for (const number of startedOnB) {
    const lost = await a.until(`/v1/executions/${onB[number - 2]}`, ({ status }) => status !== 'running');
    assert.equal(lost['status'], 'error', JSON.stringify(lost));
  }
  for (const id of onA) assert.equal((await a.get<Resource>(`/v1/executions/${id}`))['status'], 'running');
  writeFileSync(join(shared, 'go'), '');

  const rest = [...onA, ...onB.filter((_, index) => !startedOnB.includes(index + 2))];
  assert.equal(rest.length, 4);
  for (const id of rest) {
    const ended = await a.until(`/v1/executions/${id}`, ({ status }) => status !== 'running');
    assert.equal(ended['status'], 'success', JSON.stringify(ended));
    assert.equal(typeof resultOf(ended).output, 'number');
  }
  assert.deepEqual(readRuns(shared).sort(), [0, 1, 2, 3, 4, 5], 'each ran once');
});

function readRuns(folder: string): number[] {
  try {
    return readFileSync(join(folder, 'runs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // none has started
  }
}

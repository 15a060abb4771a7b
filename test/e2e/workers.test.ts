import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Api, resultOf, type Answer, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

/** Tells that it runs by a file of its own, and ends when there is a goal. */
const WAITS = `
import os, time

def main(folder=None, name=''):
    if folder is not None:
        open(os.path.join(folder, 'running-' + name), 'w').close()
        while not os.path.exists(os.path.join(folder, 'goal')):
            time.sleep(0.02)
    return os.getpid()
`;

interface Capacity {
  readonly total: number;
  readonly available: number;
}

async function start(t: TestContext, environment: Readonly<Record<string, string>> = {}) {
  const { path: folder, shared } = makeFolder(t);
  const server = await Server.start(t, folder, { environment });
  const api = new Api(server.url);
  const { id, runtime_id: runtimeId } = await api.createFunction({
    files: { 'main.py': WAITS },
    timeout: 600,
    cpu: 1000,
  });
  const capacity = async () => {
    const { capacity } = await api.get<{ capacity: Capacity }>(`/v1/runtimes/${String(runtimeId)}/pool`);
    return capacity;
  };
  const isRunning = (count: number) =>
    readdirSync(shared).filter((name) => name.startsWith('running-')).length === count;
  const begin = (name: string) => api.execute(id, { folder: shared, name });
  const finish = () => writeFileSync(join(shared, 'goal'), '');
  return { server, api, id, runtimeId: String(runtimeId), shared, capacity, isRunning, begin, finish };
}

/** Asks again until it holds (the runner's time limit ends a wait for ever). */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(20);
}

test('three parallel calls of a function that takes long use one worker, six use two', async (t) => {
  const { id, api, capacity, isRunning, begin, finish } = await start(t);
  const { total } = await capacity();
  assert.equal(total, 16);
  assert.deepEqual(await capacity(), { total, available: total });
  const running = ['a', 'b', 'c'].map(begin);
  await until(() => isRunning(3));
  assert.deepEqual(await capacity(), { total, available: total - 1 });
  running.push(...['d', 'e', 'f'].map(begin));
  await until(() => isRunning(6));
  assert.deepEqual(await capacity(), { total, available: total - 2 });
  finish();
  const pids = (await Promise.all(running)).map((execution) => resultOf(execution).output);
  assert.equal(new Set(pids).size, 6, 'each ran in a process of its own');
  assert.equal((await api.get<{ count: number }>(`/v1/functions/${id}`)).count, 6);
});

test('parallel calls of a function that takes no time share one worker', async (t) => {
  const { id, api, capacity } = await start(t);
  await api.execute(id);
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 20 }, () => api.execute(id)));
  }
  const { total, available } = await capacity();
  assert.equal(available, total - 1);
});

test('calls that turn out to take long do not hold up those that come later', async (t) => {
  const { id, api, isRunning, begin, finish } = await start(t);
  const callSome = () => Promise.all(Array.from({ length: 10 }, () => api.execute(id)));
  await api.execute(id);
  await callSome(); // short: many of them fit behind each other
  const long: Promise<Resource>[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    long.push(begin(name));
    await until(() => isRunning(long.length));
    await sleep(200); // by now it is seen to be long
    await callSome();
  }
  finish();
  const pids = (await Promise.all(long)).map((execution) => resultOf(execution).output);
  assert.equal(new Set(pids).size, 5, 'each ran in a process of its own');
});

test('a worker that serves no call for the idle time is given back', async (t) => {
  const { id, api, capacity } = await start(t, { QINLING_ENGINE_FUNCTION_SERVICE_EXPIRATION: '1' });
  const { total } = await capacity();
  const first = resultOf(await api.execute(id)).output;
  assert.equal((await capacity()).available, total - 1);
  await until(async () => (await capacity()).available === total);
  const again = resultOf(await api.execute(id)).output;
  assert.notEqual(again, first, 'a fresh process');
});

test('calls beyond the waiting line are told to come back, and none that waits is lost', async (t) => {
  const { api, id, isRunning, begin, finish, shared } = await start(t, {
    QINLING_LOCAL_WORKERS: '1',
    QINLING_ENGINE_FUNCTION_CONCURRENCY: '1',
    QINLING_ENGINE_MAX_WAITING_CALLS: '2',
  });
  const body = (name: string) => ({ function_id: id, input: JSON.stringify({ folder: shared, name }) });
  const first = begin('first');
  await until(() => isRunning(1));
  const waiting = ['x', 'y', 'z', 'u'].map((name) => api.request('POST', '/v1/executions', body(name)));
  const refused: Answer[] = [];
  for (const answer of waiting) void answer.then((ended) => ended.status === 503 && refused.push(ended));
  await until(() => refused.length === 2);
  for (const { headers, text } of refused) {
    assert.equal(headers.get('retry-after'), '1');
    assert.match(text, /"faultstring":"No worker is free for this function; try again later."/);
  }
  finish();
  await first;
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  assert.deepEqual(statuses.sort(), [201, 201, 503, 503]);
  const { executions } = await api.get<{ executions: Resource[] }>('/v1/executions');
  assert.equal(executions.length, 3, 'a refused call leaves no record');
});

test('an image is not changed while its workers hold functions', async (t) => {
  const { api, id, runtimeId } = await start(t);
  await api.execute(id);
  const change = { image: 'nodejs' };
  const refused = await api.request('PUT', `/v1/runtimes/${runtimeId}`, change);
  assert.equal(refused.status, 403);
  assert.match(refused.text, new RegExp(`Runtime ${runtimeId} is still in use by functions\\.`));
  await api.request('PUT', `/v1/functions/${id}`, { entry: 'main.other' });
  await until(async () => (await api.request('PUT', `/v1/runtimes/${runtimeId}`, change)).status === 200);
});

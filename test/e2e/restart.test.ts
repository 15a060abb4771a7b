import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

/** Writes that it runs before it does anything else: one line of one write. */
const APPENDS = `
import os, time

def main(path, number):
    os.umask(0)  # the next process that runs this may have another user
    line = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(line, ('%d\\n' % number).encode())
    os.close(line)
    time.sleep(0.1)
    return number
`;

const EXECUTION_COUNT = 24;
const FEW_AT_A_TIME = { QINLING_LOCAL_WORKERS: '1', QINLING_ENGINE_FUNCTION_CONCURRENCY: '1' };

function readRuns(path: string): number[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // none has started
  }
}

test('accepted executions outlive a killed gateway: each ends, and none runs twice', async (t) => {
  const { path: folder, shared } = makeFolder(t);
  const runsFile = join(shared, 'runs');
  const first = await Server.start(t, folder, { environment: FEW_AT_A_TIME });
  const firstApi = new Api(first.url);
  const { id } = await firstApi.createFunction({ files: { 'main.py': APPENDS }, timeout: 30, cpu: 1000 });
  const executionIds: string[] = [];
  for (let number = 0; number < EXECUTION_COUNT; number++) {
    executionIds.push(await firstApi.executeLater(id, { path: runsFile, number }));
  }
  while (readRuns(runsFile).length < 3) await sleep(20);
  await first.kill();
  assert.ok(readRuns(runsFile).length < EXECUTION_COUNT, 'some must be left to do for this test to mean something');

  const second = await Server.start(t, folder, { environment: FEW_AT_A_TIME });
  const api = new Api(second.url);
  const ended: Resource[] = [];
  for (const executionId of executionIds) {
    ended.push(await api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running'));
  }

  const runs = readRuns(runsFile);
  assert.equal(new Set(runs).size, runs.length, `ran twice: ${runs.join(' ')}`);
  for (const [number, execution] of ended.entries()) {
    if (execution['status'] === 'success') {
      assert.equal(resultOf(execution).output, number);
      assert.ok(runs.includes(number), `${number} is a success but has not run`);
    } else {
      assert.equal(execution['status'], 'error', JSON.stringify(execution)); // under way when the gateway was killed
    }
  }
  assert.equal(ended.at(-1)!['status'], 'success', 'the last one had not started, and ran after the restart');
  await second.stop();
});

test('functions, runtimes and finished executions are there after a restart', async (t) => {
  const { path: folder } = makeFolder(t);
  const first = await Server.start(t, folder);
  const firstApi = new Api(first.url);
  const { id } = await firstApi.createFunction({
    files: { 'main.py': 'def main():\n    print("hello")\n    return 1\n' },
  });
  const execution = await firstApi.execute(id);
  const { runtimes } = await firstApi.get<{ runtimes: Resource[] }>('/v1/runtimes');
  await first.stop();

  const api = new Api((await Server.start(t, folder)).url);

  const { runtimes: runtimesThen } = await api.get<{ runtimes: Resource[] }>('/v1/runtimes');
  assert.deepEqual(
    runtimesThen.map((runtime) => runtime.id),
    runtimes.map((runtime) => runtime.id),
  );
  assert.deepEqual(await api.get(`/v1/executions/${execution.id}`), execution);
  assert.match(await api.log(execution.id), /\nhello\n/);
  assert.equal(resultOf(await api.execute(id)).output, 1);
});

test('an answered execution is in the records of a gateway that is killed right after', async (t) => {
  const { path: folder } = makeFolder(t);
  const first = await Server.start(t, folder);
  const firstApi = new Api(first.url);
  const { id } = await firstApi.createFunction({
    files: { 'main.py': 'def main(n):\n    print("number", n)\n    return n\n' },
    cpu: 1000,
  });
  const numbers = Array.from({ length: 40 }, (_, number) => number);
  const answered = await Promise.all(numbers.map((n) => firstApi.execute(id, { n })));
  await first.kill();

  const api = new Api((await Server.start(t, folder)).url);

  for (const [n, execution] of answered.entries()) {
    assert.deepEqual(await api.get(`/v1/executions/${execution.id}`), execution);
    assert.match(await api.log(execution.id), new RegExp(`\nnumber ${n}\n`));
  }
  assert.equal((await api.get<Resource>(`/v1/functions/${id}`))['count'], numbers.length);
});

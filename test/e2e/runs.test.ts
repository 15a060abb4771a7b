import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

/** Writes down its attempt before it does anything else, and fails before the one that it is told. */
const FAILS_FIRST = `
import os

def main(path, until, context):
    os.umask(0)  # the next process that runs this may have another user
    line = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(line, ('%d\\n' % context['attempt']).encode())
    os.close(line)
    print('attempt', context['attempt'])
    if context['attempt'] < until:
        raise RuntimeError('attempt %d' % context['attempt'])
    return context['attempt']
`;

/** Prints, and then waits for a file before it prints again. */
const WAITERS: Readonly<Record<string, Record<string, string>>> = {
  python3: {
    'main.py': `
import os, time

def main(path):
    print('one')
    while not os.path.exists(path):
        time.sleep(0.01)
    print('two')
    return 'done'
`,
  },
  nodejs: {
    'main.js': `
const fs = require('node:fs');
exports.main = (context, { path }) => {
  console.log('one');
  while (!fs.existsSync(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  console.log('two');
  return 'done';
};
`,
  },
  ruby: {
    'main.rb': `
def main(input)
  puts 'one'
  sleep(0.01) until File.exist?(input['path'])
  puts 'two'
  'done'
end
`,
  },
};

const LIMITS = { timeout: 120, cpu: 1000 };

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return []; // nothing ran yet
  }
}

/** Somebody who reads an execution's log as it is printed. */
class Reader {
  text = '';
  /** Resolves at an orderly end; rejects where the connection breaks off. */
  readonly ended: Promise<void>;
  #onText = (): void => undefined;

  constructor(url: string, executionId: string) {
    this.ended = this.#read(`${url}/v1/executions/${executionId}/log?follow=true`);
    this.ended.catch(() => this.#onText());
  }

  async reads(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      await Promise.race([new Promise<void>((resolve) => (this.#onText = resolve)), this.ended]);
    }
  }

  async #read(url: string): Promise<void> {
    const response = await fetch(url);
    assert.equal(response.status, 200);
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      this.text += decoder.decode(chunk as Uint8Array, { stream: true });
      this.#onText();
    }
  }
}

async function start(t: TestContext) {
  const { path: folder, shared } = makeFolder(t);
  const server = await Server.start(t, folder);
  return { folder, shared, server, api: new Api(server.url) };
}

async function setRetry(api: Api, functionId: string, retry: object): Promise<void> {
  const answer = await api.request('PUT', `/v1/functions/${functionId}`, { retry });
  assert.equal(answer.status, 200, answer.text);
}

function waitFor(api: Api, executionId: string): Promise<Resource> {
  return api.get<Resource>(`/v1/executions/${executionId}?wait=60`);
}

test('a function that fails is tried again, and can be run again when that did not help', async (t) => {
  const { shared, api, server } = await start(t);
  const file = join(shared, 'attempts');
  const { id } = await api.createFunction({ files: { 'main.py': FAILS_FIRST }, ...LIMITS });
  await setRetry(api, id, { max_attempts: 2, backoff: 0.1 });

  const executionId = await api.executeLater(id, { path: file, until: 4 });
  const failed = await waitFor(api, executionId);
  assert.deepEqual([failed['status'], failed['attempts']], ['failed', 2]);
  assert.equal(resultOf(failed).output, 'attempt 2');
  assert.match(await api.log(executionId), /^Start execution: .*\nattempt 2\nTraceback/);

  const answer = await api.request('POST', `/v1/executions/${executionId}/redrive`);
  assert.equal(answer.status, 200, answer.text);
  const ended = await waitFor(api, executionId);
  assert.deepEqual([ended['status'], ended['attempts'], resultOf(ended).output], ['success', 4, 4]);
  assert.deepEqual(linesOf(file), ['1', '2', '3', '4']);
  await server.stop();
});

test('an attempt that waits when the gateway is killed runs after the restart, once', async (t) => {
  const { folder, shared, api, server } = await start(t);
  const file = join(shared, 'attempts');
  const { id } = await api.createFunction({ files: { 'main.py': FAILS_FIRST }, ...LIMITS });
  await setRetry(api, id, { max_attempts: 3, backoff: 3 });
  const executionId = await api.executeLater(id, { path: file, until: 2 });
  const waiting = await api.until(`/v1/executions/${executionId}`, ({ next_attempt_at: at }) => at !== undefined);
  await server.kill();
  assert.deepEqual([waiting['status'], waiting['attempts'], linesOf(file)], ['running', 1, ['1']]);

  const next = await Server.start(t, folder);
  const ended = await waitFor(new Api(next.url), executionId);

  assert.deepEqual([ended['status'], ended['attempts'], resultOf(ended).output], ['success', 2, 2]);
  assert.deepEqual(linesOf(file), ['1', '2']);
  assert.ok(Date.parse(ended['updated_at'] as string) >= Date.parse(waiting['next_attempt_at'] as string));
  await next.stop();
});

test('an attempt under way when the gateway is killed counts as one', async (t) => {
  const { folder, shared, api, server } = await start(t);
  const go = join(shared, 'go');
  const { id } = await api.createFunction({ files: WAITERS['python3']!, ...LIMITS });
  await setRetry(api, id, { max_attempts: 2, backoff: 0 });
  const executionId = await api.executeLater(id, { path: go });
  await new Reader(server.url, executionId).reads('one\n').catch(assert.fail);
  await server.kill();

  writeFileSync(go, '');
  const next = await Server.start(t, folder);
  const ended = await waitFor(new Api(next.url), executionId);
  assert.deepEqual([ended['status'], ended['attempts']], ['success', 2]);
  await next.stop();
});

for (const [runtime, files] of Object.entries(WAITERS)) {
  test(`what a function of ${runtime} prints is read while it runs, and its end is waited for`, async (t) => {
    const { shared, api, server } = await start(t);
    if ((await api.findRuntime(runtime)) === undefined) return t.skip(`this machine offers no ${runtime}`);
    const go = join(shared, 'go');
    const { id } = await api.createFunction({ runtime, files, ...LIMITS });
    const executionId = await api.executeLater(id, { path: go });
    const readers = [new Reader(server.url, executionId), new Reader(server.url, executionId)];
    for (const reader of readers) await reader.reads('one\n');
    const final = waitFor(api, executionId);
    assert.equal((await api.get<Resource>(`/v1/executions/${executionId}`))['status'], 'running');
    writeFileSync(go, '');

    assert.equal(resultOf(await final).output, 'done');
    const text = `Start execution: ${executionId}\none\ntwo\nFinished execution: ${executionId}\n`;
    for (const reader of readers) {
      await reader.ended;
      assert.equal(reader.text, text);
    }
    assert.equal(await api.log(executionId), text);
    await server.stop();
  });
}

test('a gateway that is told to stop answers who waits, and ends what is read', async (t) => {
  const { shared, api, server } = await start(t);
  const go = join(shared, 'go');
  const { id } = await api.createFunction({ files: WAITERS['python3']!, ...LIMITS });
  const executionId = await api.executeLater(id, { path: go });
  const reader = new Reader(server.url, executionId);
  await reader.reads('one\n');
  const request = get(`${server.url}/v1/executions/${executionId}?wait=60`, { agent: false });
  const answer = once(request, 'response') as Promise<[IncomingMessage]>;
  await once(request, 'finish');
  await api.get('/'); // was sent later: when it is answered, the other one waits
  server.run.send('SIGTERM');
  const [response] = await answer;
  assert.equal(response.statusCode, 200);
  assert.equal(((await json(response)) as Resource)['status'], 'running');
  await reader.ended;
  assert.equal(reader.text, `Start execution: ${executionId}\none\n`);
  writeFileSync(go, '');
  assert.equal(await server.run.ended, 0, server.run.stderr);
});

test('a killed gateway breaks off what is read, so that nobody takes a part for the whole', async (t) => {
  const { shared, api, server } = await start(t);
  const { id } = await api.createFunction({ files: WAITERS['python3']!, ...LIMITS });
  const executionId = await api.executeLater(id, { path: join(shared, 'go') });
  const reader = new Reader(server.url, executionId);
  await reader.reads('one\n');
  await server.kill();
  await assert.rejects(reader.ended);
});

test('a request that is repeated after its gateway was killed does not run again', async (t) => {
  const { folder, shared, api, server } = await start(t);
  const file = join(shared, 'attempts');
  const source = `
import os, time

def main(path):
    os.umask(0)
    line = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(line, b'ran\\n')
    time.sleep(100)
`;
  const { id } = await api.createFunction({ files: { 'main.py': source }, ...LIMITS });
  const post = (url: string) =>
    fetch(`${url}/v1/executions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'once' },
      body: JSON.stringify({ function_id: id, input: { path: file } }),
    });
  const first = post(server.url);
  const broken = assert.rejects(first);
  while (linesOf(file).length === 0) await sleep(20);
  await server.kill();
  await broken;

  const next = await Server.start(t, folder);
  const again = await post(next.url);

  const execution = (await again.json()) as Resource;
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [201, 'true']);
  assert.equal(execution['status'], 'error');
  assert.deepEqual(linesOf(file), ['ran']);
  await next.stop();
});

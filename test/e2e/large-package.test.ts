import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Api, resultOf } from '../support/api.ts';
import { peakMemoryOf } from '../support/processes.ts';
import { makeFolder, Server } from '../support/server.ts';
import { hasPrograms, runProgram } from '../support/tools.ts';
import { zipOf } from '../support/zip.ts';

const MIB = 1024 * 1024;
const LIMIT_BYTES = 51 * MIB;
const LARGE_BYTES = 96 * MIB;
/** What the gateway may grow by while they pass through it: buffers, and garbage that was not collected yet. */
const MOST_GROWTH_BYTES = 88 * MIB;

const MAIN = `
import os

def main():
    return os.stat(os.path.join(os.path.dirname(__file__), 'data')).st_size
`;

async function start(t: TestContext, environment: Readonly<Record<string, string>> = {}) {
  const { path: folder } = makeFolder(t);
  const server = await Server.start(t, folder, { environment });
  const api = new Api(server.url);
  const runtimeId = (await api.findRuntime('python3'))!;
  return { server, api, runtimeId, folder, uploads: join(folder, 'data/uploads') };
}

test('a large package goes to disk and not to memory, runs, and comes back byte for byte', async (t) => {
  if (!hasPrograms(t, { curl: 'curl' })) return;
  const environment = { QINLING_STORAGE_MAX_PACKAGE_BYTES: String(2 * LARGE_BYTES) };
  const { server, api, runtimeId, folder } = await start(t, environment);
  const zip = zipOf({ 'main.py': MAIN, data: new Uint8Array(LARGE_BYTES) });
  const [path, copy] = [join(folder, 'package.zip'), join(folder, 'copy.zip')];
  writeFileSync(path, zip);
  const before = peakMemoryOf(server.run.pid);
  const url = `${server.url}/v1/functions`;
  for (const way of [[], ['-H', 'Transfer-Encoding: chunked']]) {
    const fields = [`runtime_id=${runtimeId}`, 'code={}', `package=@${path}`].flatMap((field) => ['-F', field]);
    const { stdout, stderr } = await runProgram('curl', ['-sS', ...way, ...fields, url]);
    const { id } = JSON.parse(stdout) as { id: string };
    assert.ok(id, stdout + stderr);
    assert.equal(resultOf(await api.execute(id)).output, LARGE_BYTES);
    const download = await runProgram('curl', ['-sS', '-o', copy, `${url}/${id}?download=true`]);
    assert.equal(download.code, 0, download.stderr);
    const digest = async (file: string) => (await runProgram('md5sum', [file])).stdout.slice(0, 32);
    assert.equal(await digest(copy), createHash('md5').update(zip).digest('hex'));
    const grown = peakMemoryOf(server.run.pid) - before;
    assert.ok(grown < MOST_GROWTH_BYTES, `the gateway grew by ${Math.round(grown / MIB)} MiB (${way.join(' ')})`);
  }
});

test('an upload is on disk while it comes, and goes with its client', async (t) => {
  const { server, runtimeId, uploads } = await start(t);
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  t.after(() => void socket.destroy());
  await once(socket, 'connect');
  const part = (head: string) => `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const body = `${part('name="runtime_id"')}${runtimeId}\r\n${part('name="package"; filename="p.zip"')}`;
  const head = `POST /v1/functions HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: multipart/form-data; boundary=b\r\n`;
  socket.write(`${head}Content-Length: ${50 * MIB}\r\n\r\n${body}`);
  const sizes = () => readdirSync(uploads).map((name) => statSync(join(uploads, name)).size);
  for (let sent = 1; sent <= 3; sent++) {
    socket.write(Buffer.alloc(4 * MIB));
    while ((sizes()[0] ?? 0) < (4 * sent - 1) * MIB) await sleep(10); // but for what is on its way
  }
  socket.destroy();
  while (sizes().length > 0) await sleep(10);
});

test('a package is taken up to 51 MiB, and not beyond', async (t) => {
  const { server, runtimeId, uploads } = await start(t);
  const overhead = zipOf({ data: '' }).length;
  const post = (bytes: number) => {
    const form = new FormData();
    form.set('package', new Blob([zipOf({ data: new Uint8Array(bytes - overhead) })]), 'package.zip');
    form.set('code', '{}');
    form.set('runtime_id', runtimeId);
    return fetch(`${server.url}/v1/functions`, { method: 'POST', body: form });
  };
  const whole = await post(LIMIT_BYTES);
  assert.equal(whole.status, 201, await whole.text());
  for (const more of [1, 20 * MIB]) {
    const answer = await post(LIMIT_BYTES + more);
    assert.equal(answer.status, 413);
    assert.deepEqual(await answer.json(), {
      faultcode: 'Client',
      faultstring: `The request body is larger than the limit of ${LIMIT_BYTES} bytes.`,
      debuginfo: null,
    });
  }
  while (readdirSync(uploads).length > 0) await sleep(10);
});

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { Api } from '../support/api.ts';
import { HEAP_PROBE_SOCKET, type HeapState } from '../support/heap-probe.ts';
import { makeFolder, Server } from '../support/server.ts';

const PROBE = new URL('../support/heap-probe.js', import.meta.url).href;
const WARM_UP_CALLS = 3_000;
const CALLS = 50;
const ROUNDS = 9;
/** What a warm call may allocate in the gateway. With the headers of this client it takes 20 KiB on Node.js 20. */
const MOST_BYTES = 26 * 1024;

test('a warm call allocates little in the gateway', async (t) => {
  const { path } = makeFolder(t);
  const socket = join(path, 'heap.sock');
  const environment = { NODE_OPTIONS: `--import=${PROBE}`, [HEAP_PROBE_SOCKET]: socket };
  const { url } = await Server.start(t, path, { environment });
  const api = new Api(url);
  const { id } = await api.createFunction({ files: { 'main.py': "def main(name):\n    return 'Hello, ' + name\n" } });
  const call = (): Promise<unknown> => api.execute(id, { name: 'Qinling' });
  for (let count = 0; count < WARM_UP_CALLS; count++) await call();

  const perCall: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = await stateOf(socket, '/collect');
    for (let count = 0; count < CALLS; count++) await call();
    const after = await stateOf(socket, '/');
    if (after.collections === before.collections) perCall.push((after.usedBytes - before.usedBytes) / CALLS);
  }

  assert.ok(perCall.length > 0, 'every round was disturbed by a collection');
  const least = Math.min(...perCall); // others, timers and compilers allocate too
  assert.ok(least > 0 && least <= MOST_BYTES, `${least} bytes a call; of all rounds: ${perCall.join(', ')}`);
});

function stateOf(socketPath: string, path: string): Promise<HeapState> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(JSON.parse(text) as HeapState));
    });
    asked.on('error', reject).end();
  });
}

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { HostSocket } from '../../agent/host-socket.ts';
import { Isolation } from '../../agent/isolation.ts';
import { LanguageHost } from '../../agent/language-host.ts';

/** A host whose parent is this shell script. What real ones do is told by `test/conformance/`. */
async function openHost(t: TestContext, script: string): Promise<LanguageHost> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-host-'));
  const socket = new HostSocket(join(folder, 'hosts.sock'));
  await socket.listen();
  const host = new LanguageHost({
    runtime: { name: 'fake', version: '1', command: '/bin/sh', args: ['-c', script] },
    socket,
    isolation: await Isolation.open('none', 0),
    scratchDirectory: folder,
    prewarmed: 1,
    log: { info: () => undefined, warn: () => undefined },
  });
  t.after(async () => {
    await host.close();
    await socket.close();
    rmSync(folder, { recursive: true });
  });
  return host;
}

test('a parent that ends before it says Hello is told at once, with how it ended', async (t) => {
  const host = await openHost(t, 'exit 3');
  await assert.rejects(host.start(), /fake did not start: code 3/);
});

test('a host can be closed while its parent has not said Hello', async (t) => {
  const host = await openHost(t, 'exec sleep 600');
  const started = assert.rejects(host.start(), /fake did not start: SIGKILL/);
  await host.close();
  await started;
});

test('a load that nobody waits for any more is given up, with no process', async (t) => {
  const host = await openHost(t, 'exec sleep 600');
  const started = assert.rejects(host.start());
  const abort = new AbortController();
  const limits = { cpuMillicores: 100, memoryBytes: 1, maxOutputBytes: 1, environment: {} };
  const loaded = host.load({ packageDirectory: '/', entry: 'main.main', ...limits }, abort.signal);
  abort.abort();
  await assert.rejects(loaded, /came in time/);
  await host.close();
  await started;
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AwaitedParent } from '../../agent/awaited-parent.ts';
import { Health } from '../../agent/health.ts';
import { HostSocket } from '../../agent/host-socket.ts';
import { installHosts } from '../../agent/install-hosts.ts';
import { Isolation } from '../../agent/isolation.ts';
import { LanguageHost } from '../../agent/language-host.ts';

const RUNTIMES = fileURLToPath(new URL('../../../runtimes', import.meta.url));
const quiet = { info: () => undefined, warn: () => undefined };

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-pool-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits for a host that something else starts; `startHost` starts one as the container beside the agent does. */
async function open(t: TestContext) {
  const folder = makeFolder(t);
  installHosts(RUNTIMES, folder);
  const socket = new HostSocket(join(folder, 'hosts.sock'), true);
  await socket.listen();
  const scratch = join(folder, 'scratch');
  mkdirSync(scratch);
  const host = new LanguageHost({
    runtime: { name: 'a-pool', version: '', command: '', args: [] },
    socket,
    isolation: await Isolation.open('elsewhere', 0),
    scratchDirectory: scratch,
    prewarmed: 1,
    startParent: (events, onSpawned) => AwaitedParent.start('parent', socket, events, onSpawned),
    log: quiet,
  });
  const startHost = (preferred: string, environment: Record<string, string> = {}) => {
    const env = {
      PATH: process.env['PATH'] ?? '',
      QINLING_SOCKET: socket.path,
      QINLING_NAME: 'parent',
      ...environment,
    };
    const child = spawn('/bin/sh', [join(folder, 'start-host'), preferred], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(child, 'exit');
    t.after(() => ended); // it ends its processes and itself when the agent goes: killed, it would leave them behind
    return child;
  };
  t.after(async () => {
    await host.close();
    await socket.close();
  });
  return { folder, socket, host, startHost };
}

const limits = { cpuMillicores: 100, memoryBytes: 1, maxOutputBytes: 1000, environment: {} };

function packageOf(folder: string): string {
  const directory = join(folder, 'package');
  mkdirSync(directory);
  writeFileSync(join(directory, 'main.js'), 'exports.main = () => 7;');
  return directory;
}

test('a host that another container starts serves like one of our own', async (t) => {
  const { folder, host, startHost } = await open(t);
  const started = host.start();
  startHost('nodejs');
  await started;
  const spec = { packageDirectory: packageOf(folder), entry: 'main.main', ...limits };
  const child = await host.load(spec, AbortSignal.timeout(30_000));
  const output = await new Promise<string>((resolve) =>
    child.invoke('e', Buffer.alloc(0), 10_000, (outcome) => resolve(Buffer.from(outcome.output).toString())),
  );
  assert.equal(output, '7');
});

test('where that container starts anew, so does its host', async (t) => {
  const { folder, host, startHost } = await open(t);
  const started = host.start();
  const first = startHost('nodejs');
  await started;
  const spec = { packageDirectory: packageOf(folder), entry: 'main.main', ...limits };
  const child = await host.load(spec, AbortSignal.timeout(30_000));
  const isDead = new Promise<void>((resolve) => child.onExit(resolve));
  first.kill('SIGKILL');
  await isDead;
  for (;;) {
    const next = startHost('nodejs'); // as the kubelet does, again and again
    const end = await Promise.race([once(next, 'exit'), host.load(spec, AbortSignal.timeout(30_000))]);
    if (!Array.isArray(end)) break;
  }
});

test('a host that does not come can be given up', async (t) => {
  const { host } = await open(t);
  const started = assert.rejects(host.start(), /nobody waits/);
  await host.close();
  await started;
});

test('the socket is open to the group of the other container, and to nobody else', async (t) => {
  const { socket } = await open(t);
  assert.equal(statSync(socket.path).mode & 0o777, 0o660);
});

test('an image without any interpreter is told so', async (t) => {
  const { folder, startHost } = await open(t);
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  symlinkSync('/bin/sleep', join(programs, 'sleep'));
  const child = startHost('python3', { PATH: programs });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 1);
  assert.match(text, /no interpreter of any runtime: .*python3/);
});

test('the start script names every runtime, with a host file that is there', (t) => {
  const folder = makeFolder(t);
  installHosts(RUNTIMES, folder);
  const script = readFileSync(join(folder, 'start-host'), 'utf8');
  const files = [...script.matchAll(/'(\/[^']*\/hosts\/[^']*)'/g)].map(([, path]) => path!);
  assert.ok(files.length >= 4);
  for (const file of files) assert.ok(statSync(file).isFile(), file);
});

test('the probe of an agent tells whether it can serve', async (t) => {
  let isReady = false;
  const health = new Health(() => isReady);
  t.after(() => health.close());
  await health.listen(0);
  const ask = async () => (await fetch(`http://127.0.0.1:${health.port}/`)).status;
  assert.equal(await ask(), 503);
  isReady = true;
  assert.equal(await ask(), 200);
});

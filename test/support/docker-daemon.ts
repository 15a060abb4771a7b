import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DockerClient } from '../../gateway/orchestrator/docker/docker-client.ts';
import type { Cleaner } from './server.ts';

export const TEST_IMAGE = 'qinling-test/busybox:1';

/** What the image runs: its first argument says what it does; without any it shows what the image says. */
const SCRIPT = `#!/bin/sh
case "$1" in
  sleep) echo started; exec sleep "$2" ;;
  fail) echo 'it failed' >&2; exit "$2" ;;
  eat) x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo "ate $x" | wc -c ;;
  who) id -u; id -g; touch /file 2>/dev/null && echo 'wrote /file'; touch /tmp/file && echo 'wrote /tmp' ;;
  flood) echo 'the first line'; yes 'one more line' | head -c "$2"; echo 'the last line' ;;
  fill) head -c "$2" /dev/zero > /data/file && echo filled ;;
  *) for word in "$@"; do echo "[$word]"; done ;;
esac
`;
const APPLETS = ['sh', 'sleep', 'yes', 'head', 'tr', 'wc', 'id', 'touch', 'echo'];

/**
 * A Docker daemon of its own, without networks, that leaves nothing behind, and an image in it that was made of files:
 * there is no registry. Ended by its own pid when the test is over.
 */
export async function startDocker(cleaner: Cleaner): Promise<{ host: string; client: DockerClient }> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-docker-'));
  const socket = join(folder, 'docker.sock');
  writeFileSync(join(folder, 'daemon.json'), '{}');
  const at = (name: string) => join(folder, name);
  const args = ['--host', `unix://${socket}`, '--data-root', at('data'), '--exec-root', at('exec')];
  const files = ['--pidfile', at('docker.pid'), '--config-file', at('daemon.json')];
  const noNetwork = ['--bridge=none', '--iptables=false', '--ip-forward=false'];
  // in a mount namespace of its own, so that its mounts go with it
  const command = ['--mount', '--propagation', 'private', 'dockerd', ...args, ...files, ...noNetwork];
  const daemon = spawn('unshare', command, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4000)));
  const ended = once(daemon, 'close');
  cleaner.after(async () => {
    daemon.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const client = new DockerClient(`unix://${socket}`);
  while (!(await isUp(client))) {
    assert.equal(daemon.exitCode, null, `dockerd ended: ${log}`);
    await sleep(50);
  }
  await importImage(socket, folder);
  return { host: `unix://${socket}`, client };
}

async function isUp(client: DockerClient): Promise<boolean> {
  return client.send('GET', '/_ping').then(
    () => true,
    () => false,
  );
}

async function importImage(socketPath: string, folder: string): Promise<void> {
  const root = join(folder, 'root');
  for (const name of ['bin', 'tmp', 'data', 'dev', 'proc', 'etc']) mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777); // as in every image; what is mounted there takes it over
  chmodSync(join(root, 'data'), 0o1777);
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  assert.ok(busybox !== undefined, 'busybox missing: apt-get install busybox-static');
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'bin/run'), SCRIPT);
  chmodSync(join(root, 'bin/run'), 0o755);
  const tar = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
  const changes = ['ENTRYPOINT ["/bin/run"]', 'CMD ["as", "the image says"]', 'ENV PATH=/bin', 'VOLUME /data'];
  const query = new URLSearchParams({ fromSrc: '-', repo: 'qinling-test/busybox', tag: '1' });
  for (const change of changes) query.append('changes', change);
  const path = `/images/create?${query.toString()}`;
  await new Promise<void>((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', path, headers: { Host: 'docker' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(text))));
    });
    asked.on('error', reject).end(tar);
  });
}

import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Api, resultOf } from '../support/api.ts';
import { makeFolder, Run, Server, serverEnvironment, type Cleaner } from '../support/server.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** Tells that it runs by a file, and ends after a second file is there. */
const WAITS = `
import os, time

def main(started, goal):
    open(started, 'w').close()
    while not os.path.exists(goal):
        time.sleep(0.02)
    return 'finished'
`;

/** Runs the product to its end. */
async function runToEnd(cleaner: Cleaner, args: readonly string[], more: Record<string, string> = {}) {
  const run = new Run(cleaner, args, { ...serverEnvironment(makeFolder(cleaner).path), ...more });
  const code = await run.ended;
  const complaints = run.stderr.split('\n').filter((line) => line.startsWith('qinling: '));
  return { code, stdout: run.stdout, stderr: run.stderr, complaints };
}

/** A server with one invocation under way that ends when `goal` is there. */
async function startWithInvocation(cleaner: Cleaner) {
  const { path: folder, shared } = makeFolder(cleaner);
  const environment = { QINLING_DEFAULT_SHUTDOWN_TIMEOUT: '3600' };
  const server = await Server.start(cleaner, folder, { environment });
  return { server, ...(await startInvocation(server.url, shared)) };
}

async function startInvocation(url: string, shared: string) {
  const api = new Api(url);
  const { id } = await api.createFunction({ files: { 'main.py': WAITS }, timeout: 600, cpu: 1000 });
  const [started, goal] = [join(shared, 'started'), join(shared, 'goal')];
  const execution = api.execute(id, { started, goal });
  execution.catch(() => undefined); // awaited later, if at all
  while (!existsSync(started)) await sleep(20);
  return { execution, goal };
}

describe('the program', () => {
  test('prints its help, its version and a configuration sample', async (t) => {
    const [help, version, sample] = await Promise.all([
      runToEnd(t, ['--help']),
      runToEnd(t, ['--version']),
      runToEnd(t, ['--print-config-sample']),
    ]);
    assert.deepEqual([help.code, version.code, sample.code], [0, 0, 0]);
    assert.match(help.stdout, /^Usage: /);
    const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    assert.equal(version.stdout, `qinling ${manifest.version}\n`);
    assert.equal(sample.stdout, readFileSync(join(REPOSITORY, 'docs/qinling.conf.sample'), 'utf8'));
  });

  test('refuses an unknown option in one line, with exit code 2', async (t) => {
    const { code, stderr } = await runToEnd(t, ['--prot', '8080']);
    assert.equal(code, 2);
    assert.match(stderr, /^qinling: Unknown option '--prot'[^\n]*\n$/);
  });

  test('tells every fault of its configuration, with exit code 2', async (t) => {
    const configFile = join(makeFolder(t).path, 'qinling.conf');
    writeFileSync(configFile, '[api]\nprot = 8080\n');
    const { code, complaints } = await runToEnd(t, ['--config-file', configFile, '--port', 'x']);
    assert.equal(code, 2);
    assert.equal(complaints.length, 2);
    assert.match(complaints[0]!, /qinling\.conf:2: \[api\] prot is not an option$/);
    assert.match(complaints[1]!, /--port: 'x' must be a whole number$/);
  });

  test('tells of a port that is taken, with exit code 1', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const port = String((other.address() as AddressInfo).port);
    const refusal = `qinling: cannot listen on 127.0.0.1:${port}: the port is taken or the address is not ours\n`;
    const runs = [runToEnd(t, ['--port', port]), runToEnd(t, [], { QINLING_INTERNAL_PORT: port })];
    for (const { code, stdout, stderr } of await Promise.all(runs)) {
      assert.deepEqual([code, stdout, stderr], [1, '', refusal]);
    }
  });

  test('tells of a data directory that it cannot write, with exit code 1', async (t) => {
    const file = join(makeFolder(t).path, 'file');
    writeFileSync(file, '');
    const { code, complaints } = await runToEnd(t, ['--data-dir', join(file, 'data')]);
    assert.equal(code, 1);
    assert.deepEqual(complaints.length, 1);
    assert.match(complaints[0]!, /data directory .*file\/data is not writable/);
  });

  test('warns where everybody can reach it, and names no such risk on loopback', async (t) => {
    const [open, closed] = await Promise.all(
      ['0.0.0.0', '127.0.0.1'].map((host) => Server.start(t, makeFolder(t).path, { args: ['--host', host] })),
    );
    assert.match(open!.run.stderr, /WITHOUT AUTHENTICATION/);
    assert.doesNotMatch(closed!.run.stderr, /WITHOUT AUTHENTICATION/);
    assert.match(open!.url, /^http:\/\/127\.0\.0\.1:\d+$/, 'an address that can be used as it is printed');
    assert.equal((await fetch(`${open!.url}/v1/runtimes`, { headers: { Host: 'x' } })).status, 200);
  });

  test('leaves a data directory alone that another one uses', async (t) => {
    const { path: folder } = makeFolder(t);
    const server = await Server.start(t, folder);
    const { code, complaints } = await runToEnd(t, ['--data-dir', join(folder, 'data')]);
    assert.equal(code, 1);
    assert.match(complaints.join('\n'), /is used by another gateway/);
    assert.equal((await new Api(server.url).request('GET', '/v1/runtimes')).status, 200);
  });

  test('lets a running invocation finish when it is told to end', async (t) => {
    const { server, execution, goal } = await startWithInvocation(t);
    server.run.send('SIGTERM');
    await server.run.printed(/SIGTERM/);
    writeFileSync(goal, '');
    assert.equal(resultOf(await execution).output, 'finished');
    assert.equal(await server.run.ended, 0, server.run.stderr);
  });

  test('ends at once when it is told a second time', async (t) => {
    const { server } = await startWithInvocation(t);
    server.run.send('SIGINT');
    await server.run.printed(/SIGINT/);
    server.run.send('SIGINT');
    assert.equal(await server.run.ended, 1);
  });

  test('is built and started by `npm start`; Ctrl-C lets a running invocation finish', async (t) => {
    const { path: folder, shared } = makeFolder(t);
    const npm = new Terminal(t, 'npm', ['start'], serverEnvironment(folder));
    const [, url] = await npm.printed(/Listening on (http:\/\/\S+)/);
    const { execution, goal } = await startInvocation(url!, shared);

    npm.interrupt();
    await npm.printed(/SIGINT: ending/);
    writeFileSync(goal, '');

    assert.equal(resultOf(await execution).output, 'finished');
    assert.deepEqual(await npm.ended, [0, null], npm.output);
    assert.doesNotMatch(npm.output, /added \d+ packages/, 'what is installed is not installed again');
  });

  test('started by `npm start`, ends at once where Ctrl-C is pressed again', async (t) => {
    const { path: folder, shared } = makeFolder(t);
    const npm = new Terminal(t, 'npm', ['start'], serverEnvironment(folder));
    const [, url] = await npm.printed(/Listening on (http:\/\/\S+)/);
    await startInvocation(url!, shared);

    npm.interrupt();
    await npm.printed(/SIGINT: ending/);
    const pressing = setInterval(() => npm.interrupt(), 200);
    t.after(() => clearInterval(pressing));

    assert.notDeepEqual(await npm.ended, [0, null]);
  });
});

/** A program that was started in a terminal: it and all that it starts get what is pressed there. */
class Terminal {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<unknown[]>;
  #hasEnded = false;
  output = '';

  constructor(cleaner: Cleaner, program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
    this.#child = spawn(program, [...args], { cwd: REPOSITORY, env, stdio, detached: true });
    this.ended = once(this.#child, 'close').finally(() => (this.#hasEnded = true));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    cleaner.after(async () => {
      this.#signal('SIGKILL');
      await this.ended;
    });
  }

  /** Presses Ctrl-C. */
  interrupt(): void {
    this.#signal('SIGINT');
  }

  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match;
      assert.ok(!this.#hasEnded, this.output);
      await Promise.race([once(this.#child.stdout, 'data'), this.ended]);
    }
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child.pid!, signal);
    } catch {
      // all of them have ended
    }
  }
}

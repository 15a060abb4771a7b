import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeFolder } from '../test/support/server.ts';
import type { CleanUp } from './clean-up.ts';
import { freePort } from './free-port.ts';
import { ANSWER, callBody } from './hello.ts';
import { SOURCE } from './machine.ts';

const execute = promisify(execFile);
const SOURCES = join(SOURCE, 'peers');
/** Copies of them beside what they import: the product's own checks must not see that. */
const INSTALLED = join(SOURCES, '.installed');
const PROGRAMS = join(INSTALLED, 'node_modules', '.bin');
const ENVIRONMENT = join(INSTALLED, 'venv');
const PATIENCE_MS = 30_000;
const BETWEEN_TRIES_MS = 50;

/** Something else that users might take for the same, with the same hello in it. */
interface Peer {
  readonly name: string;
  readonly registry: 'npm' | 'pip';
  readonly command: (port: number) => readonly string[];
}

const PEERS: readonly Peer[] = [
  {
    name: 'workerd',
    registry: 'npm',
    command: (port) => [join(PROGRAMS, 'workerd'), 'serve', 'workerd.capnp', `--socket-addr=http=127.0.0.1:${port}`],
  },
  {
    name: 'functions-framework',
    registry: 'npm',
    command: () => [join(PROGRAMS, 'functions-framework'), '--source=functions-framework.js', '--target=hello'],
  },
  { name: 'Express', registry: 'npm', command: () => [process.execPath, 'express.js'] },
  { name: 'Fastify', registry: 'npm', command: () => [process.execPath, 'fastify.js'] },
  {
    name: 'Flask, gunicorn',
    registry: 'pip',
    command: (port) => [
      join(ENVIRONMENT, 'bin', 'gunicorn'),
      ...['--workers', '2', '--worker-class', 'gthread', '--threads', '4', '--no-control-socket'],
      ...['--log-level', 'warning', '--bind', `127.0.0.1:${port}`, 'flask_hello:app'],
    ],
  },
];

export interface OpenPeers {
  readonly peers: readonly { readonly name: string; readonly url: string }[];
  /** Which are not among them, and why. */
  readonly remarks: readonly string[];
}

/**
 * Installs the peers where they are not yet, starts them, and calls each. Their answers have so many bytes. One that
 * cannot be had is told of in a remark.
 */
export async function openPeers(
  cleanUp: CleanUp,
  answerBytes: number,
  print: (text: string) => void,
): Promise<OpenPeers> {
  const faults = { npm: await faultOf(() => installFromNpm(print)), pip: await faultOf(() => installFromPip(print)) };
  const peers: { name: string; url: string }[] = [];
  const remarks: string[] = [];
  for (const peer of PEERS) {
    const { name, registry } = peer;
    const fault =
      faults[registry] ??
      (await faultOf(async () => peers.push({ name, url: await start(cleanUp, peer, answerBytes) })));
    if (fault !== undefined) remarks.push(`${name} is not compared: ${fault}`);
  }
  return { peers, remarks };
}

/** What went wrong, in one line. */
async function faultOf(step: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await step();
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const lines = (stderr ?? message).trim().split('\n');
    return lines.at(-1)!.trim() || message;
  }
}

async function installFromNpm(print: (text: string) => void): Promise<void> {
  await installOnce('package-lock.json', async () => {
    print('installing the peers of npm, once');
    await execute('npm', ['ci', '--no-audit', '--no-fund'], { cwd: INSTALLED });
  });
}

async function installFromPip(print: (text: string) => void): Promise<void> {
  await installOnce('requirements.txt', async () => {
    print('installing the peers of pip, once');
    await execute('python3', ['-m', 'venv', '--clear', ENVIRONMENT]);
    const args = ['install', '--quiet', '--disable-pip-version-check', '--requirement', 'requirements.txt'];
    await execute(join(ENVIRONMENT, 'bin', 'pip'), args, { cwd: INSTALLED });
  });
}

/** Does nothing where what `list` names was installed before. */
async function installOnce(list: string, install: () => Promise<void>): Promise<void> {
  mkdirSync(INSTALLED, { recursive: true });
  for (const entry of readdirSync(SOURCES, { withFileTypes: true })) {
    if (entry.isFile()) copyFileSync(join(SOURCES, entry.name), join(INSTALLED, entry.name));
  }
  const [done, wanted] = [join(INSTALLED, `${list}.done`), readFileSync(join(SOURCES, list))];
  if (existsSync(done) && readFileSync(done).equals(wanted)) return;
  await install();
  writeFileSync(done, wanted);
}

/** Resolves with its URL once it answers as it should. */
async function start(cleanUp: CleanUp, { name, command }: Peer, answerBytes: number): Promise<string> {
  const port = await freePort();
  const [program = '', ...args] = command(port);
  const { PATH = '' } = process.env;
  const own = { PORT: String(port), ANSWER_BYTES: String(answerBytes), NODE_ENV: 'production' };
  const env = { PATH, HOME: makeFolder(cleanUp).path, ...own };
  const child = spawn(program, args, { cwd: INSTALLED, env, detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  cleanUp.after(async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL'); // with its workers
    await ended;
  });
  let end: string | undefined;
  void ended.then((how) => (end = how));
  const url = `http://127.0.0.1:${port}/v1/executions`;
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  while (!(await answersWell(url, answerBytes))) {
    if (end !== undefined) throw new Error(`it ended: ${end}`);
    if (performance.now() > giveUpAtMs) throw new Error(`${name} does not answer as it should`);
    await sleep(BETWEEN_TRIES_MS);
  }
  return url;
}

async function answersWell(url: string, answerBytes: number): Promise<boolean> {
  try {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: callBody('any') });
    const text = await response.text();
    return Buffer.byteLength(text) === answerBytes && text.includes(ANSWER);
  } catch {
    return false; // not up yet
  }
}

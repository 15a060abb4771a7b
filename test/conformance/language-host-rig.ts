import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LoadError, type ChildOutcome, type HostChild, type LoadSpec } from '../../agent/host-child.ts';
import { HostSocket } from '../../agent/host-socket.ts';
import { makeReachable } from '../../agent/interpreter-reach.ts';
import { Isolation } from '../../agent/isolation.ts';
import { LanguageHost } from '../../agent/language-host.ts';
import type { RuntimeOnMachine } from '../../agent/runtime-catalog.ts';

/** Of the sources: the build holds no sample functions. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const RUNTIMES = join(ROOT, 'runtimes');

/** For whatever must come, however slow the machine is. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 10;
const MIB = 1024 * 1024;
const PREWARMED = 2;

/** One language host with a work directory of its own, and short words for what tests do with it. */
export class Rig {
  readonly host: LanguageHost;
  readonly isolation: Isolation;
  readonly workDirectory: string;
  readonly scratchDirectory: string;
  /** What the host complained of. */
  readonly warnings: string[];
  readonly #packageDirectory: string;
  readonly #socket: HostSocket;
  #isClosed = false;

  static async open(runtime: RuntimeOnMachine, mode: 'auto' | 'none'): Promise<Rig> {
    const workDirectory = mkdtempSync(join(tmpdir(), 'qinling-host-'));
    chmodSync(workDirectory, 0o711);
    const scratchDirectory = join(workDirectory, 'scratch');
    mkdirSync(scratchDirectory, { mode: 0o711 });
    const packageDirectory = join(workDirectory, 'package');
    const language = runtime.definition.name.replace(/[0-9]+$/, ''); // python2 and python3 run the same functions
    cpSync(join(ROOT, 'test/conformance', language), packageDirectory, { recursive: true });
    chmodSync(packageDirectory, 0o755);
    const isolation = await Isolation.open(mode, 32);
    const socket = new HostSocket(join(workDirectory, 'hosts.sock'));
    await socket.listen();
    const warnings: string[] = [];
    const host = new LanguageHost({
      runtime: makeReachable(runtime, isolation.changesUser, workDirectory),
      socket,
      isolation,
      scratchDirectory,
      prewarmed: PREWARMED,
      log: { info: () => undefined, warn: (text) => warnings.push(text) },
    });
    const rig = new Rig(host, isolation, socket, workDirectory, packageDirectory, warnings);
    try {
      await host.start();
      return rig;
    } catch (error) {
      await rig.close();
      throw error;
    }
  }

  private constructor(
    host: LanguageHost,
    isolation: Isolation,
    socket: HostSocket,
    workDirectory: string,
    packageDirectory: string,
    warnings: string[],
  ) {
    this.host = host;
    this.isolation = isolation;
    this.#socket = socket;
    this.workDirectory = workDirectory;
    this.scratchDirectory = join(workDirectory, 'scratch');
    this.#packageDirectory = packageDirectory;
    this.warnings = warnings;
  }

  /** A process with this function of the samples (`main.echo`), ended when the test is over. */
  async load(t: TestContext, entry: string, limits: Partial<LoadSpec> = {}): Promise<Subject> {
    const child = await this.host.load(this.#spec(entry, limits), AbortSignal.timeout(PATIENCE_MS));
    const subject = new Subject(child);
    t.after(() => subject.end());
    return subject;
  }

  /** How a target fails that does not load. */
  async loadFailure(entry: string, timeoutMs = PATIENCE_MS): Promise<ChildOutcome> {
    const loaded = this.host.load(this.#spec(entry, {}), AbortSignal.timeout(timeoutMs));
    const error: unknown = await loaded.then(
      () => assert.fail(`${entry} was loaded`),
      (error: unknown) => error,
    );
    assert.ok(error instanceof LoadError, String(error));
    return error.outcome;
  }

  /** Runs a function once in a process of its own. */
  async run(t: TestContext, entry: string, input?: object, limits: Partial<LoadSpec> = {}): Promise<ChildOutcome> {
    return (await this.load(t, entry, limits)).invoke(input);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.host.close();
    await this.#socket.close();
    this.isolation.close();
  }

  removeFiles(): void {
    rmSync(this.workDirectory, { recursive: true, force: true });
  }

  #spec(entry: string, limits: Partial<LoadSpec>): LoadSpec {
    return {
      packageDirectory: this.#packageDirectory,
      entry,
      cpuMillicores: 2_000,
      memoryBytes: 256 * MIB,
      maxOutputBytes: 5 * MIB,
      environment: {},
      ...limits,
    };
  }
}

/** A process of user code under test. */
export class Subject {
  readonly child: HostChild;
  readonly #ended: Promise<void>;

  constructor(child: HostChild) {
    this.child = child;
    this.#ended = new Promise((resolve) => child.onExit(resolve));
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** `name`: what the invocation is called, in the form of the link. */
  invoke(input?: object, timeoutMs = PATIENCE_MS, name = '0190-an-execution'): Promise<ChildOutcome> {
    const bytes = Buffer.from(input === undefined ? '' : JSON.stringify(input));
    return new Promise((resolve) => this.child.invoke(name, bytes, timeoutMs, resolve));
  }

  /** What an invocation prints, as it is told while it runs. */
  follow(name = '0190-an-execution'): Followed {
    const followed = new Followed();
    assert.ok(
      this.child.follow(name, (offset, log) => followed.take(offset, log)),
      `${name} is not there`,
    );
    return followed;
  }

  async end(): Promise<void> {
    this.child.kill();
    await this.#ended;
  }
}

/** The text that was told of an invocation. */
export class Followed {
  #bytes = Buffer.alloc(0);
  #onText = (): void => undefined;

  get text(): string {
    return this.#bytes.toString();
  }

  take(offset: number, log: Buffer): void {
    assert.ok(offset <= this.#bytes.length, 'something is missing in between');
    this.#bytes = Buffer.concat([this.#bytes.subarray(0, offset), log]);
    this.#onText();
  }

  /** Resolves when there is so much text. */
  async reaches(length: number): Promise<void> {
    while (this.#bytes.length < length) await new Promise<void>((resolve) => (this.#onText = resolve));
  }
}

export function outputOf(outcome: ChildOutcome): string {
  return Buffer.from(outcome.output).toString();
}

export function logOf(outcome: ChildOutcome): string {
  return Buffer.from(outcome.log).toString();
}

/** The value that was returned; fails where the invocation did. */
export function valueOf(outcome: ChildOutcome): unknown {
  assert.equal(outcome.kind, 'returned', `${outcome.kind}: ${outputOf(outcome)} ${logOf(outcome)}`);
  return JSON.parse(outputOf(outcome));
}

/** The text of an invocation that failed. */
export function failureOf(outcome: ChildOutcome): string {
  assert.equal(outcome.kind, 'failed', outputOf(outcome));
  return JSON.parse(outputOf(outcome)) as string;
}

export function pidsOf(text: string): number[] {
  return text.trim().split('\n').map(Number);
}

/** Resolves when there are no such processes any more; what is dead but not yet reaped counts as gone. */
export async function processesGone(pids: readonly number[]): Promise<void> {
  await until(() => !pids.some(isAlive), `processes ${pids.join(', ')} to be gone`);
}

/** Pids of the living processes whose environment speaks of this directory: hosts and what they started. */
export function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isAlive(pid) && readOrEmpty(`/proc/${pid}/environ`).includes(directory));
}

/** Pids of the programs `sleep` that user code started: their home is below this directory. */
export function programsOf(scratchDirectory: string): number[] {
  return processesOf(scratchDirectory).filter((pid) => readOrEmpty(`/proc/${pid}/cmdline`).startsWith('sleep\0'));
}

/** For what no event tells: looks again and again. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!holds()) {
    assert.ok(performance.now() < endMs, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Of a process that may be gone meanwhile. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

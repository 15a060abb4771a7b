import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../gateway/main.js', import.meta.url));

export interface ServerOptions {
  /** Added to the command line. */
  readonly args?: readonly string[];
  /** Added to the few variables that the product needs. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
export interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/**
 * A folder that goes when the test is over. User code may pass through it and write in `shared`, whatever user it runs
 * as.
 */
export function makeFolder(cleaner: Cleaner): { path: string; shared: string } {
  const path = mkdtempSync(join(tmpdir(), 'qinling-e2e-'));
  chmodSync(path, 0o711);
  const shared = join(path, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  cleaner.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return { path, shared };
}

/** What the product needs of the environment, and where it keeps things below `folder`. */
export function serverEnvironment(folder: string): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return {
    PATH,
    HOME,
    QINLING_API_PORT: '0',
    QINLING_INTERNAL_PORT: '0',
    QINLING_DEFAULT_DATA_DIR: join(folder, 'data'),
    QINLING_LOCAL_WORK_DIR: join(folder, 'work'),
  };
}

/** A process of the product: what it prints and how it ends. Ended by its own pid when the test is over. */
export class Run {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  #stdout = '';
  #stderr = '';

  constructor(cleaner: Cleaner, args: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [MAIN, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#ended = once(this.#child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
    cleaner.after(async () => {
      this.#child.kill('SIGKILL');
      await this.#ended;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The exit code, or the name of the signal, once the process and those that hold its output are gone. */
  get ended(): Promise<number | string> {
    return this.#ended;
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the match once it is printed; rejects when the process ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(pattern, this.#child.stdout!, () => this.#stdout);
  }

  /** The same of its log, behind the first `skipped` characters. */
  logged(pattern: RegExp, skipped = 0): Promise<RegExpExecArray> {
    return this.#until(pattern, this.#child.stderr!, () => this.#stderr.slice(skipped));
  }

  async #until(pattern: RegExp, stream: Readable, read: () => string): Promise<RegExpExecArray> {
    let hasEnded = false;
    void this.#ended.then(() => (hasEnded = true));
    for (;;) {
      const match = pattern.exec(read());
      if (match !== null) return match;
      if (hasEnded) throw new Error(`the process ended without printing ${pattern}:\n${this.#stdout}${this.#stderr}`);
      await Promise.race([once(stream, 'data'), this.#ended]);
    }
  }
}

/** The real product, listening on ports that the system chose, with its data below `folder`. */
export class Server {
  readonly url: string;
  readonly run: Run;

  private constructor(run: Run, url: string) {
    this.run = run;
    this.url = url;
  }

  static async start(cleaner: Cleaner, folder: string, options: ServerOptions = {}): Promise<Server> {
    const environment = { ...serverEnvironment(folder), ...options.environment };
    const run = new Run(cleaner, options.args ?? [], environment);
    const [, url] = await run.printed(/Listening on (http:\/\/\S+)/);
    return new Server(run, url!);
  }

  /** Ends it as a service manager does, and checks that it ended well. */
  async stop(): Promise<void> {
    this.run.send('SIGTERM');
    assert.equal(await this.run.ended, 0, this.run.stderr);
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    this.run.send('SIGKILL');
    assert.equal(await this.run.ended, 'SIGKILL');
  }
}

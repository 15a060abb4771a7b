import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const AGENT_MAIN = fileURLToPath(new URL('../../../agent/main.js', import.meta.url));
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 10_000;
/** An agent that ran for so long was healthy: its next restart is quick again. */
const HEALTHY_MS = 30_000;

export interface AgentProcessOptions {
  /** QINLING_AGENT_* for the process; nothing else of our environment but PATH and HOME reaches it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Given on standard input, which also tells the agent that we are alive. */
  readonly token: string;
  /** How long the agent may take to end by itself. */
  readonly stopMs: number;
  /** The process has ended, by its own fault. */
  readonly onGone: () => void;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/**
 * The agent as a child process.
 *
 *   running --exits--> waiting (backing off) --> running
 *   any --stop()--> stopped
 */
export class AgentProcess {
  readonly #options: AgentProcessOptions;
  #child: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #restartMs = FIRST_RESTART_MS;
  #startedAtMs = 0;
  #isStopped = false;

  constructor(options: AgentProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const { PATH = '', HOME = '' } = process.env;
    this.#startedAtMs = performance.now();
    const child = spawn(process.execPath, [AGENT_MAIN], {
      env: { PATH, HOME, ...this.#options.environment },
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true, // an own process group: Ctrl-C in our terminal is ours to pass on
    });
    child.on('error', (error) => this.#options.log.warn(`the agent did not start: ${error.message}`));
    child.stdin.on('error', () => undefined); // it ended before it read the token: `close` tells
    child.stdin.write(`${this.#options.token}\n`);
    child.once('close', (code, signal) => this.#onClose(code, signal));
    this.#child = child;
  }

  /** Lets the agent end by itself, then ends it. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.stopMs);
    await gone;
    clearTimeout(timer);
  }

  #onClose(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined;
    if (this.#isStopped) return;
    this.#options.onGone();
    if (performance.now() - this.#startedAtMs > HEALTHY_MS) this.#restartMs = FIRST_RESTART_MS;
    this.#options.log.warn(`the agent ended (${signal ?? `code ${code}`}); it starts again in ${this.#restartMs} ms`);
    this.#restartTimer = setTimeout(() => this.start(), this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, LAST_RESTART_MS);
  }
}

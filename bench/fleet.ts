import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CleanUp } from './clean-up.ts';

const PROGRAM = fileURLToPath(new URL('./simulated-agents.js', import.meta.url));

/** What the process of simulated agents is told, once. */
export interface FleetOptions {
  /** ws://host:port of the gateway's internal listener. */
  readonly url: string;
  readonly token: string;
  /** The pool that all of them serve. */
  readonly pool: string;
  readonly agents: number;
  /** Agents are called by numbers, from this one on. */
  readonly firstNumber: number;
  readonly workersEach: number;
  /** What every invocation returns: JSON text. */
  readonly output: string;
}

/** What it tells, whenever it changes. */
export interface FleetState {
  /** Agents whose link is up. */
  readonly ready: number;
  /** When that was, milliseconds since 1970. */
  readonly atMs: number;
}

/**
 * Agents of the real protocol in a process of their own. They load every target at once, answer every invocation at
 * once, and come back as real ones do when their link is lost; they run no user code.
 */
export class Fleet {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #size: number;
  #state: FleetState = { ready: 0, atMs: 0 };

  private constructor(child: ChildProcess, ended: Promise<unknown>, size: number) {
    this.#child = child;
    this.#ended = ended;
    this.#size = size;
    child.on('message', (state: FleetState) => (this.#state = state));
  }

  static start(cleanUp: CleanUp, options: FleetOptions): Fleet {
    const child = fork(PROGRAM);
    const fleet = new Fleet(child, once(child, 'exit'), options.agents);
    cleanUp.after(() => fleet.close());
    child.send(options);
    return fleet;
  }

  /** May be called twice. */
  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Resolves when all links are up, with the time of the last one, milliseconds since 1970. */
  async untilAllReady(): Promise<number> {
    while (this.#state.ready < this.#size) await this.#changed();
    return this.#state.atMs;
  }

  /** Resolves when a link is lost that was up. */
  async untilSomeAway(): Promise<void> {
    while (this.#state.ready === this.#size) await this.#changed();
  }

  async #changed(): Promise<void> {
    const changed = new AbortController();
    const message = once(this.#child, 'message', { signal: changed.signal }).catch(() => undefined);
    const how = await Promise.race([message, this.#ended.then(() => 'ended')]);
    changed.abort(); // its listeners go
    if (how === 'ended') throw new Error('the simulated agents have ended');
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import type { HostConnection } from './host-connection.ts';
import type { HostSocket } from './host-socket.ts';
import type { HostParentEvents, ParentProcess } from './parent-process.ts';
import type { FoundRuntime } from './runtime-catalog.ts';

const START_MS = 10_000;
const END_MS = 10_000;

/**
 * A parent that this process starts and ends.
 *
 *   starting --Hello--> up --end(), its death--> gone
 */
export class HostParent implements ParentProcess {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #connection: HostConnection | undefined;

  /** Resolves to a parent that is up. Rejects where it ends before, or does not come up in time. `onSpawned` gets it at once. */
  static start(
    runtime: FoundRuntime,
    socket: HostSocket,
    events: HostParentEvents,
    onSpawned: (parent: HostParent) => void,
  ): Promise<HostParent> {
    return new Promise((resolve, reject) => {
      const name = socket.expect('Parent', (connection) => {
        clearTimeout(timer);
        parent.#onUp(connection, events);
        resolve(parent);
      });
      const parent = new HostParent(runtime, socket.path, name, (reason) => {
        if (parent.#connection !== undefined) return events.onGone(reason);
        clearTimeout(timer);
        socket.forget(name);
        reject(new Error(`the language host of ${runtime.name} did not start: ${reason}`));
      });
      const timer = setTimeout(() => parent.#process.kill('SIGKILL'), START_MS);
      onSpawned(parent);
    });
  }

  private constructor(runtime: FoundRuntime, socketPath: string, name: string, onEnd: (reason: string) => void) {
    const env = {
      PATH: process.env['PATH'] ?? '',
      LANG: 'C.UTF-8',
      QINLING_SOCKET: socketPath,
      QINLING_NAME: name,
    };
    this.#process = spawn(runtime.command, [...runtime.args], {
      env,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#ended = new Promise((resolve) => {
      const settle = (reason: string) => {
        onEnd(reason);
        resolve();
      };
      this.#process.once('error', (error) => settle(error.message)); // then there is no `exit`
      this.#process.once('exit', (code, signal) => settle(signal ?? `code ${code}`));
    });
  }

  send(frame: Buffer): void {
    this.#connection?.send(frame);
  }

  /** Ends it with its children; resolves when it is gone. May be called twice. */
  async end(): Promise<void> {
    if (this.#connection === undefined) this.#process.kill('SIGKILL'); // not up yet: it has no children
    this.#connection?.destroy(); // it ends its children, and then itself
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), END_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Children lead a session of their own; one that waits for work ends by itself when we close its connection. */
  killSession(pid: number): void {
    try {
      if (pid > 0) process.kill(-pid, 'SIGKILL');
    } catch {
      // gone already
    }
  }

  #onUp(connection: HostConnection, events: HostParentEvents): void {
    this.#connection = connection;
    connection.listen({
      onFrame: (frame) => events.onFrame(frame),
      onClosed: () => void this.end(), // it ends by itself when it sees that; one that does not is of no use any more
    });
  }
}

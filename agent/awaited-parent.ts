import type { HostConnection } from './host-connection.ts';
import type { HostSocket } from './host-socket.ts';
import type { HostParentEvents, ParentProcess } from './parent-process.ts';

/**
 * A parent that somebody else starts, in another container: all we see of it is its connection.
 *
 *   waiting --Hello--> up --connection closed--> gone
 *      └──────────────end()────────────────────► gone
 *
 * Its name is told to it beforehand, and good again when it is gone: with it went its container, and all that ran there.
 */
export class AwaitedParent implements ParentProcess {
  readonly #giveUp: () => void;
  #connection: HostConnection | undefined;

  static start(
    name: string,
    socket: HostSocket,
    events: HostParentEvents,
    onSpawned: (parent: ParentProcess) => void,
  ): Promise<ParentProcess> {
    return new Promise((resolve, reject) => {
      const parent = new AwaitedParent(() => {
        socket.forget(name);
        reject(new Error('nobody waits for the language host any more'));
      });
      socket.expectNamed(name, 'Parent', (connection) => {
        parent.#onUp(connection, events);
        resolve(parent);
      });
      onSpawned(parent);
    });
  }

  private constructor(giveUp: () => void) {
    this.#giveUp = giveUp;
  }

  send(frame: Buffer): void {
    this.#connection?.send(frame);
  }

  async end(): Promise<void> {
    if (this.#connection === undefined) this.#giveUp();
    else this.#connection.destroy(); // it ends its children, and then itself
  }

  killSession(): void {
    // Process ids of the other container mean nothing in ours.
  }

  #onUp(connection: HostConnection, events: HostParentEvents): void {
    this.#connection = connection;
    connection.listen({
      onFrame: (frame) => events.onFrame(frame),
      onClosed: () => events.onGone('its connection was closed'),
    });
  }
}

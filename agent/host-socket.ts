import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { HostConnection } from './host-connection.ts';
import { HostKind, HostRole } from './host-protocol.ts';

const HELLO_MS = 10_000;

/** A connection that said Hello with a name that we expected. */
export type OnHello = (connection: HostConnection, version: string) => void;

/**
 * The unix socket where parents and children of language hosts meet the agent. A name is good for one connection, of
 * the role that it was made for; a stranger is turned away.
 */
export class HostSocket {
  readonly path: string;
  readonly #server: Server;
  readonly #expected = new Map<string, { role: number; onHello: OnHello }>();
  readonly #sockets = new Set<Socket>();

  readonly #isForGroup: boolean;

  /** `isForGroup`: hosts run as another user of our group. */
  constructor(path: string, isForGroup = false) {
    this.path = path;
    this.#isForGroup = isForGroup;
    this.#server = createServer((socket) => this.#onConnection(socket));
  }

  async listen(): Promise<void> {
    await rm(this.path, { force: true });
    this.#server.listen(this.path);
    await once(this.#server, 'listening');
    await chmod(this.path, this.#isForGroup ? 0o660 : 0o600); // hosts connect before they give up their rights
  }

  /** A new name; whoever connects with it is given to `onHello`. */
  expect(role: keyof typeof HostRole, onHello: OnHello): string {
    const name = randomBytes(12).toString('hex');
    this.expectNamed(name, role, onHello);
    return name;
  }

  /** The same for a name that the other side knows already. */
  expectNamed(name: string, role: keyof typeof HostRole, onHello: OnHello): void {
    this.#expected.set(name, { role: HostRole[role], onHello });
  }

  /** The name will not be used any more. */
  forget(name: string): void {
    this.#expected.delete(name);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const connection = new HostConnection(socket);
    const timer = setTimeout(() => connection.destroy(), HELLO_MS);
    connection.listen({
      onFrame: (frame) => {
        clearTimeout(timer);
        if (frame.kind !== HostKind.Hello) return connection.destroy();
        const role = frame.u8();
        const name = frame.text();
        const expected = this.#expected.get(name);
        if (expected === undefined || expected.role !== role) return connection.destroy();
        this.#expected.delete(name);
        expected.onHello(connection, frame.text());
      },
      onClosed: () => clearTimeout(timer),
    });
  }
}

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeFrame, encodeMessage } from '../../protocol/codec.ts';
import { Kind, type AgentMessage, type GatewayMessage, type Hello, type Welcome } from '../../protocol/message.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** One connection of an agent, as the gateway sees it. */
export class AgentConnection {
  readonly authorization: string | undefined;
  readonly received: AgentMessage[] = [];
  readonly #socket: WebSocket;
  isClosed = false;

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.#socket = socket;
    this.authorization = request.headers.authorization;
    socket.on('message', (data) => this.received.push(...(decodeFrame(data as Buffer) as AgentMessage[])));
    socket.on('close', () => (this.isClosed = true));
  }

  get hello(): Hello | undefined {
    return this.of(Kind.Hello)[0];
  }

  of<K extends AgentMessage['kind']>(kind: K): Extract<AgentMessage, { kind: K }>[] {
    return this.received.filter((message): message is Extract<AgentMessage, { kind: K }> => message.kind === kind);
  }

  say(...messages: readonly GatewayMessage[]): void {
    this.sendBytes(Buffer.concat(messages.map(encodeMessage)));
  }

  welcome(change: Partial<Welcome> = {}): void {
    const limits = { silenceMs: 60_000, maxOutputBytes: 1_000, concurrency: 3 };
    this.say({ kind: Kind.Welcome, sessionId: 'session', ...limits, ...change });
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  ping(): void {
    this.#socket.ping();
  }

  /** As a cut cable does. */
  lose(): void {
    this.#socket.terminate();
  }
}

/** A gateway of the real protocol in this process: it keeps what agents say, and speaks as a test tells it. */
export class FakeGateway {
  readonly connections: AgentConnection[] = [];
  /** Upgrades that are answered 401 before one is let in. */
  refusals = 0;
  refused = 0;
  /** Welcome at once whoever says Hello. */
  welcomesAtOnce = false;
  readonly #server: WebSocketServer;

  static async start(cleaner: Cleaner): Promise<FakeGateway> {
    const gateway = new FakeGateway();
    await once(gateway.#server, 'listening');
    cleaner.after(() => gateway.close());
    return gateway;
  }

  private constructor() {
    this.#server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      path: '/agent',
      verifyClient: (_info, done) => {
        const isRefused = this.refused < this.refusals;
        if (isRefused) this.refused++;
        done(!isRefused, 401);
      },
    });
    this.#server.on('connection', (socket, request) => {
      const connection = new AgentConnection(socket, request);
      this.connections.push(connection);
      socket.on('message', () => {
        if (this.welcomesAtOnce && connection.received.length === 1) connection.welcome();
      });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The connection that came last. */
  get last(): AgentConnection | undefined {
    return this.connections.at(-1);
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

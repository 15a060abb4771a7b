import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

export interface RawAnswer {
  readonly status: number;
  readonly statusLine: string;
  /** By lower-case name; a header that came twice has both values, after each other. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** The body as text. */
  readonly text: string;
  /** The body as JSON. */
  readonly json: Record<string, unknown>;
  /** True if the body came in chunks. */
  readonly isChunked: boolean;
}

/**
 * One connection to an HTTP server, to the byte: what libraries hide (when a connection ends, what a 204 says of its
 * length, answers that come before the body was sent) is seen here. An answer whose end cannot be told is a fault.
 */
export class RawConnection {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #bytes = 0;
  #hasEnded = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#parts.push(chunk);
      this.#bytes += chunk.length;
    });
    socket.on('close', () => (this.#hasEnded = true));
    socket.on('error', () => undefined); // `close` follows
  }

  static async open(cleaner: Cleaner, port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    cleaner.after(() => void socket.destroy());
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  /** Text goes out as it stands, but for line ends, which become those of HTTP. */
  send(text: string): void {
    this.#socket.write(text.replaceAll(/\r?\n/g, '\r\n'));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Resolves when all that was sent has been taken by the system. */
  async flushed(): Promise<void> {
    if (this.#socket.writableNeedDrain) await once(this.#socket, 'drain');
  }

  /** A request with its head as given, whose body is the text. */
  request(head: string, body?: string | Uint8Array): void {
    const bytes = Buffer.from((body ?? '') as string);
    const length = body === undefined ? '' : `Content-Length: ${bytes.length}\n`;
    this.send(`${head.trim()}\nHost: localhost\n${length}\n`);
    if (bytes.length > 0) this.sendBytes(bytes);
  }

  /** The next answer, also an interim one. `isHead`: it answers a HEAD. */
  async answer(isHead = false): Promise<RawAnswer> {
    const head = (await this.#takeUntil('\r\n\r\n')).toString('latin1');
    const [statusLine = '', ...lines] = head.slice(0, -4).split('\r\n');
    const match = /^HTTP\/1\.1 (\d{3}) ?/.exec(statusLine);
    if (match === null) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === '') throw new Error(`no header: ${JSON.stringify(line)}`);
      const before = headers.get(name.toLowerCase());
      headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
    }
    const status = Number(match[1]);
    const isChunked = headers.get('transfer-encoding') === 'chunked';
    const hasBody = !isHead && status >= 200 && status !== 204 && status !== 304;
    const body = hasBody ? await this.#takeBody(headers, isChunked) : Buffer.alloc(0);
    const text = body.toString();
    return {
      status,
      statusLine,
      headers,
      body,
      text,
      isChunked,
      get json() {
        return JSON.parse(text) as Record<string, unknown>;
      },
    };
  }

  /** Resolves when the server has ended the connection; what it sent and nobody took by then. */
  async ended(): Promise<string> {
    while (!this.#hasEnded) await once(this.#socket, 'close');
    return this.#received().toString('latin1');
  }

  /** Stops reading: the server sees a client that is slow. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Goes away as a client that crashed: with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  async #takeBody(headers: ReadonlyMap<string, string>, isChunked: boolean): Promise<Buffer> {
    if (isChunked) return this.#takeChunks();
    const length = headers.get('content-length');
    if (length === undefined || !/^\d+$/.test(length)) throw new Error(`the body's length is ${length}`);
    return this.#take(Number(length));
  }

  async #takeChunks(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const line = (await this.#takeUntil('\r\n')).toString('latin1').slice(0, -2);
      if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no chunk: ${JSON.stringify(line)}`);
      const chunk = await this.#take(Number.parseInt(line, 16));
      if ((await this.#take(2)).toString('latin1') !== '\r\n') throw new Error('a chunk does not end');
      if (chunk.length === 0) return Buffer.concat(chunks);
      chunks.push(chunk);
    }
  }

  async #takeUntil(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.#received().indexOf(mark, 0, 'latin1');
      if (at >= 0) return this.#take(at + mark.length);
      await this.#more();
    }
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#bytes < length) await this.#more();
    const received = this.#received();
    this.#parts = [received.subarray(length)];
    this.#bytes -= length;
    return received.subarray(0, length);
  }

  #received(): Buffer {
    const [first] = this.#parts;
    if (first === undefined || this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0]!;
  }

  async #more(): Promise<void> {
    if (this.#hasEnded) {
      throw new Error(`the connection ended in the middle: ${JSON.stringify(this.#received().toString('latin1'))}`);
    }
    const waiting = new AbortController();
    const { signal } = waiting;
    const events = ['data', 'close'].map((event) => once(this.#socket, event, { signal }).catch(() => undefined));
    await Promise.race(events);
    waiting.abort();
  }
}

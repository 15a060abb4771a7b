import WebSocket from 'ws';
import { MAX_FRAME_BYTES } from '../protocol/limits.ts';

/** What a socket tells its owner; `onClosed` comes exactly once, also when the connection never opened. */
export interface SocketEvents {
  onOpen(): void;
  onFrame(frame: Uint8Array): void;
  /** The peer gave a sign of life (a message or a ping). */
  onSign(): void;
  onClosed(reason: string): void;
}

/** The agent's connection to the gateway; the door to ws. */
export class Socket {
  readonly #socket: WebSocket;

  /** `token` proves the agent at the WebSocket upgrade. */
  constructor(url: string, token: string, events: SocketEvents) {
    let reason = 'connection closed';
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: 10_000,
    });
    this.#socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => events.onOpen());
    socket.on('ping', () => events.onSign());
    socket.on('message', (data, isBinary) => {
      events.onSign();
      if (isBinary) events.onFrame(data as Buffer);
    });
    socket.on('error', (error) => (reason = error.message));
    socket.on('close', (code, text) => events.onClosed(text.length > 0 ? `${code} ${text.toString()}` : reason));
  }

  /** Bytes that were sent and have not left. */
  get waitingBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  /** Resolves when the peer has had all that was sent before, or the connection is gone. */
  roundTrip(): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        socket.off('pong', settle);
        socket.off('close', settle);
        resolve();
      };
      socket.on('pong', settle);
      socket.on('close', settle);
      socket.ping();
    });
  }

  /** Ends the connection after what was sent. */
  close(): void {
    this.#socket.close(1000);
  }

  /** Ends the connection at once. */
  terminate(): void {
    this.#socket.terminate();
  }
}

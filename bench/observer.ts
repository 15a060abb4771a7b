import { get, type IncomingMessage } from 'node:http';
import { COLLECTED, PROBE_SOCKET, type Observation } from './probe.ts';

/** Asks the probe in another process. */
export class Observer {
  readonly #socket: string;

  /** `socket`: a path that is free. */
  constructor(socket: string) {
    this.#socket = socket;
  }

  /** What the observed process needs. */
  get environment(): Record<string, string> {
    const probe = new URL('./probe.js', import.meta.url);
    return { NODE_OPTIONS: `--import=${probe.href}`, [PROBE_SOCKET]: this.#socket };
  }

  /** What it went through since it was asked last. */
  observe(): Promise<Observation> {
    return this.#ask('/');
  }

  /** The same, with nothing in memory that is not used. */
  observeCollected(): Promise<Observation> {
    return this.#ask(COLLECTED);
  }

  async #ask(path: string): Promise<Observation> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ socketPath: this.#socket, path }, resolve).on('error', reject);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString()) as Observation;
  }
}

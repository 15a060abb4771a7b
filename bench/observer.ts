import { get, type IncomingMessage } from 'node:http';
import { COLLECTED, PROBE_CALM, PROBE_SOCKET, type Observation } from './probe.ts';

/** Asks the probe in another process. */
export class Observer {
  readonly #socket: string;
  readonly #isCalm: boolean;

  /** `socket`: a path that is free. `isCalm`: memory and processor time are told, delays and turns are not. */
  constructor(socket: string, isCalm = false) {
    this.#socket = socket;
    this.#isCalm = isCalm;
  }

  /** What the observed process needs. */
  get environment(): Record<string, string> {
    const probe = new URL('./probe.js', import.meta.url);
    const own = { NODE_OPTIONS: `--import=${probe.href}`, [PROBE_SOCKET]: this.#socket };
    return this.#isCalm ? { ...own, [PROBE_CALM]: 'true' } : own;
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

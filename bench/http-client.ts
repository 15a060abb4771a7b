import { Agent, request, type IncomingMessage } from 'node:http';

export interface Body {
  readonly type: string;
  readonly bytes: Buffer;
}

/** One connection that asks again and again; cheaper than `fetch`, so that less of it is measured. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #headers: Readonly<Record<string, string>>;

  /** `headers` go with every request. */
  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.#headers = headers;
  }

  /** The answer's body. Rejects where the status is another one than expected. */
  async ask(method: string, url: string, expectedStatus: number, body?: Body): Promise<Buffer> {
    const response = await this.open(method, url, body);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (response.statusCode === expectedStatus) return bytes;
    throw new Error(`${method} ${url} was answered ${response.statusCode}: ${bytes.toString().slice(0, 500)}`);
  }

  /** The answer, its body still to be read. */
  open(method: string, url: string, body?: Body): Promise<IncomingMessage> {
    const ofBody = body === undefined ? {} : { 'Content-Type': body.type, 'Content-Length': body.bytes.length };
    const headers = { ...this.#headers, ...ofBody };
    return new Promise((resolve, reject) => {
      request(url, { method, agent: this.#agent, headers }, resolve).on('error', reject).end(body?.bytes);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Fields and files of a form as its body; a file is what is no text. */
export async function formBody(fields: Readonly<Record<string, string | Buffer>>): Promise<Body> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') form.set(name, value);
    else form.set(name, new Blob([new Uint8Array(value)]), `${name}.zip`);
  }
  const encoded = new Response(form);
  return { type: encoded.headers.get('content-type')!, bytes: Buffer.from(await encoded.arrayBuffer()) };
}

export function jsonBody(value: unknown): Body {
  return jsonTextBody(JSON.stringify(value));
}

/** Of a text that is JSON. */
export function jsonTextBody(text: string): Body {
  return { type: 'application/json', bytes: Buffer.from(text) };
}

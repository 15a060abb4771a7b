import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { KubernetesClient } from '../../gateway/orchestrator/kubernetes/client.ts';
import type { Cleaner } from './server.ts';

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string | undefined;
  /** JSON, or undefined for none. */
  readonly body: unknown;
}

/** An answer: a status and an object, or whatever the test writes itself. */
export type Answer = readonly [status: number, object: object] | ((response: ServerResponse) => void);

/** An API server that answers what a test says, and keeps what it was asked. */
export class FakeKubernetes {
  readonly requests: ApiRequest[] = [];
  readonly client: KubernetesClient;
  readonly #server: Server;

  static async open(cleaner: Cleaner, answer: (request: ApiRequest) => Answer): Promise<FakeKubernetes> {
    const requests: ApiRequest[] = [];
    const server = createServer((message, response) => {
      void readRequest(message).then((request) => {
        requests.push(request);
        const given = answer(request);
        if (typeof given === 'function') return given(response);
        response.writeHead(given[0], { 'content-type': 'application/json' }).end(JSON.stringify(given[1]));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleaner.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return new FakeKubernetes(server, requests);
  }

  private constructor(server: Server, requests: ApiRequest[]) {
    this.#server = server;
    this.requests = requests;
    const address = this.#server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const host = `http://127.0.0.1:${address.port}`;
    this.client = new KubernetesClient({ host, caFile: '', certFile: '', keyFile: '' });
  }
}

/** A watch's answer: one line an event; it stays open unless it is ended. */
export function writeEvents(response: ServerResponse, events: readonly [type: string, object: object][]): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  for (const [type, object] of events) response.write(`${JSON.stringify({ type, object })}\n`);
}

async function readRequest(message: IncomingMessage): Promise<ApiRequest> {
  const url = new URL(message.url!, 'http://server');
  const body = await text(message);
  return {
    method: message.method!,
    path: url.pathname,
    query: url.searchParams,
    contentType: message.headers['content-type'],
    body: body === '' ? undefined : JSON.parse(body),
  };
}

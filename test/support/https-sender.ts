import { request } from 'node:https';
import { connect } from 'node:net';
import { once } from 'node:events';

const CONNECT_MS = 10_000;

export interface TlsServer {
  /** Where it listens, whatever name its certificate has. */
  readonly host: string;
  readonly port: number;
  /** Its certificate, or its issuer's; nobody else is believed. */
  readonly authority: string;
}

/** What `fetch` does, for the server behind a name that no name server knows. */
export function httpsSender({ host, port, authority }: TlsServer): typeof fetch {
  return async (input, init) => {
    const { url, method, headers, body } = new Request(input, init);
    const content = body === null ? undefined : Buffer.from(await new Response(body).arrayBuffer());
    const { hostname, pathname, search } = new URL(url);
    return new Promise((resolve, reject) => {
      const outgoing = request({
        host,
        port,
        path: pathname + search,
        method,
        servername: hostname,
        ca: authority,
        agent: false,
        headers: { ...Object.fromEntries(headers), host: hostname },
      });
      // A connection to a pod that has just gone would hang until the system gives up.
      const connecting = setTimeout(() => {
        outgoing.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
      }, CONNECT_MS);
      outgoing.on('socket', (socket) => socket.once('secureConnect', () => clearTimeout(connecting)));
      outgoing.on('close', () => clearTimeout(connecting));
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0 } = response;
          const answerHeaders = Object.entries(response.headers).map(([name, value]): [string, string] => [
            name,
            String(value),
          ]);
          // A Response may not have a body with these.
          const answer = status === 204 || status === 304 ? null : Buffer.concat(chunks);
          resolve(new Response(answer, { status, headers: answerHeaders }));
        });
      });
      outgoing.end(content);
    });
  };
}

/** True where somebody listens there. */
export async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

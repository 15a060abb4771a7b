import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

/** Answers the probes of whatever looks after this process: 200 while it can serve, else 503. */
export class Health {
  readonly #server: Server;

  constructor(isReady: () => boolean) {
    this.#server = createServer((_request, response) => {
      const ready = isReady();
      response.writeHead(ready ? 200 : 503, { 'content-type': 'text/plain' }).end(ready ? 'ok\n' : 'not ready\n');
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port);
    await once(this.#server, 'listening');
  }

  /** May be called twice. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

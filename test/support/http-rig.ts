import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Cors, type CorsOptions } from '../../gateway/http/cors.ts';
import type { Exchange, ExchangeOptions } from '../../gateway/http/exchange.ts';
import type { Method, Route } from '../../gateway/http/routes.ts';
import { HttpServer } from '../../gateway/http/server.ts';
import { emptyFolder } from './folder.ts';
import { RawConnection } from './raw-http.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

export interface HttpRigOptions extends Partial<Omit<ExchangeOptions, 'uploads' | 'onFault'>> {
  readonly cors?: Partial<CorsOptions>;
  readonly maxFileBytes?: number;
  /** Of an upload in memory; by default all go to disk. */
  readonly maxHeldBytes?: number;
}

export type HttpRig = Awaited<ReturnType<typeof startHttpServer>>;

/** A route that everybody may use. */
export function route(method: Method, pattern: string, handle: (exchange: Exchange) => Promise<void> | void): Route {
  return { method, pattern, rule: 'public', handle };
}

/** The real HTTP server with a test's routes, on a port that the system chose. */
export async function startHttpServer(cleaner: Cleaner, routes: readonly Route[], options: HttpRigOptions = {}) {
  const { cors, maxFileBytes = 100_000, maxHeldBytes = 0, ...others } = options;
  const directory = join(emptyFolder(cleaner), 'uploads');
  mkdirSync(directory);
  const faults: { readonly cause: unknown; readonly message: string }[] = [];
  const server = new HttpServer({
    maxBodyBytes: 1_000,
    uploads: { directory, maxFileBytes, maxHeldBytes },
    isBehindProxy: false,
    onFault: (cause, message) => void faults.push({ cause, message }),
    ...others,
    routes,
    cors: new Cors({ allowedOrigins: [], isOpen: true, isLoopbackOnly: true, ...cors }),
  });
  await server.listen('127.0.0.1', 0);
  cleaner.after(() => server.close());
  return {
    server,
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    /** What was told to whoever looks after the service. */
    faults,
    connect: () => RawConnection.open(cleaner, server.port),
    /** Files of uploads that are on disk now. */
    received: () => readdirSync(directory),
    directory,
  };
}

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aliasRoutes } from '../../gateway/api/aliases.ts';
import { executionRoutes } from '../../gateway/api/executions.ts';
import { functionRoutes } from '../../gateway/api/functions.ts';
import { runtimeRoutes } from '../../gateway/api/runtimes.ts';
import { functionVersionRoutes } from '../../gateway/api/versions.ts';
import { workerRoutes } from '../../gateway/api/workers.ts';
import { Cors } from '../../gateway/http/cors.ts';
import type { Route } from '../../gateway/http/routes.ts';
import { HttpServer } from '../../gateway/http/server.ts';
import { openCallsRig, type CallsRig } from './calls-rig.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** An answer with its body read. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON. */
  readonly json: Record<string, unknown>;
}

const MAX_FILE_BYTES = 100_000;

/**
 * The routes of resources behind real HTTP, over real control, store and storage. There are no workers: a synchronous
 * execution that is accepted is answered 503 at once, an asynchronous one stays `running`.
 */
export async function startResourceServer(cleaner: Cleaner) {
  const rig = await openCallsRig(cleaner, { workerCount: 0, maxWaitingCalls: 0, maxWaitingMs: 0 });
  return { ...rig, ...(await serveRoutes(cleaner, rig.folder, routesOf(rig))) };
}

/** Every route of what the rig has. */
export function routesOf(rig: CallsRig): Route[] {
  return [
    ...runtimeRoutes(rig.runtimes),
    ...functionRoutes(rig.functions),
    ...functionVersionRoutes(rig.versions),
    ...workerRoutes(rig.scaling),
    ...aliasRoutes(rig.aliases),
    ...executionRoutes(rig.executions),
  ];
}

/** Routes behind real HTTP, with their uploads below `folder`; and a client of theirs. */
export async function serveRoutes(cleaner: Cleaner, folder: string, routes: readonly Route[]) {
  const directory = join(folder, 'received');
  mkdirSync(directory);
  const faults: unknown[] = [];
  const server = new HttpServer({
    maxBodyBytes: 100_000,
    uploads: { directory, maxFileBytes: MAX_FILE_BYTES },
    isBehindProxy: false,
    onFault: (cause) => void faults.push(cause),
    routes,
    cors: new Cors({ allowedOrigins: [], isOpen: true, isLoopbackOnly: true }),
  });
  await server.listen('127.0.0.1', 0);
  cleaner.after(() => server.close());
  const url = `http://127.0.0.1:${server.port}`;

  const send = async (method: string, path: string, init: RequestInit = {}): Promise<Reply> => {
    const response = await fetch(url + path, { ...init, method });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, headers: response.headers, text, json };
  };
  const sendJson = (method: string, path: string, body: unknown) =>
    send(method, path, { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const sendForm = (method: string, path: string, fields: Readonly<Record<string, string | Uint8Array>>) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value === 'string') form.set(name, value);
      else form.set(name, new Blob([new Uint8Array(value)]), 'p.zip');
    }
    return send(method, path, { body: form });
  };
  const received = () => readdirSync(directory);
  return { url, server, send, sendJson, sendForm, received, serverFaults: faults };
}

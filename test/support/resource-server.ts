import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { executionRoutes } from '../../gateway/api/executions.ts';
import { functionRoutes } from '../../gateway/api/functions.ts';
import { runtimeRoutes } from '../../gateway/api/runtimes.ts';
import { Executions } from '../../gateway/control/executions.ts';
import { invalidInput } from '../../gateway/errors.ts';
import { Cors } from '../../gateway/http/cors.ts';
import type { Route } from '../../gateway/http/routes.ts';
import { HttpServer } from '../../gateway/http/server.ts';
import { Invoker } from '../../gateway/invoke/invoker.ts';
import { Targets } from '../../gateway/invoke/targets.ts';
import { toTarget } from '../../gateway/invoke/target.ts';
import { LinkSet } from '../../gateway/link/link-set.ts';
import type { FunctionRecord } from '../../gateway/store/store.ts';
import { openFunctionsRig, type FunctionsRig } from './functions-rig.ts';

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

/** The routes of resources behind real HTTP, over real control, store and storage; there are no workers. */
export async function startResourceServer(cleaner: Cleaner) {
  const rig = await openFunctionsRig(cleaner);
  const executions = await openExecutions(cleaner, rig);
  const routes = [...runtimeRoutes(rig.runtimes), ...functionRoutes(rig.functions), ...executionRoutes(executions)];
  return { ...rig, executions, ...(await serveRoutes(cleaner, rig.folder, routes)) };
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

/** A synchronous execution that is accepted is answered 503 at once, an asynchronous one stays `running`. */
async function openExecutions(cleaner: Cleaner, rig: FunctionsRig): Promise<Executions> {
  const onFault = (cause: unknown) => void rig.faults.push(cause);
  const toTargetOf = (record: FunctionRecord) => {
    if (record.packageDigest === null) throw invalidInput('The function has no code to run.');
    return toTarget(record, rig.runtimeId, 'a-pool', record.packageDigest);
  };
  const targets = new Targets(
    (id) => rig.functions.read(id),
    toTargetOf,
    () => undefined,
  );
  const executions = new Executions(rig.store.executions, targets, { maxWaitingMs: 0, returnGraceMs: 0, onFault });
  const links = new LinkSet({ maxOutputBytes: 1_000_000, concurrency: 1 });
  const invoker = new Invoker(links, {
    concurrency: 1,
    maxWaitingCalls: 0,
    idleMs: 60_000,
    adoptCall: (id, link) => executions.adoptCall(id, link),
    onWarning: () => undefined,
  });
  cleaner.after(() => {
    invoker.close();
    executions.close();
    links.close();
  });
  await executions.start(invoker);
  return executions;
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { executionRoutes } from '../../gateway/api/executions.ts';
import { Cors } from '../../gateway/http/cors.ts';
import { HttpServer } from '../../gateway/http/server.ts';
import { ExecutionsRig } from './executions-rig.ts';
import { emptyFolder } from './folder.ts';
import { openThrowAwayStore } from './throw-away-store.ts';

interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** The routes of executions behind real HTTP, over real control and store; the agent is the test's. */
export async function startRunsServer(cleaner: Cleaner) {
  const rig = await ExecutionsRig.open(cleaner, await openThrowAwayStore(cleaner));
  const directory = join(emptyFolder(cleaner), 'uploads');
  mkdirSync(directory);
  const server = new HttpServer({
    maxBodyBytes: 100_000,
    uploads: { directory, maxFileBytes: 100_000 },
    isBehindProxy: false,
    onFault: (cause) => void rig.faults.push(cause),
    routes: executionRoutes(rig.executions),
    cors: new Cors({ allowedOrigins: [], isOpen: true, isLoopbackOnly: true }),
  });
  await server.listen('127.0.0.1', 0);
  cleaner.after(() => server.close());
  const url = `http://127.0.0.1:${server.port}/v1/executions`;
  return { rig, server, url };
}

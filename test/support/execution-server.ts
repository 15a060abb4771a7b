import { openCallsRig, type CallsRigOptions } from './calls-rig.ts';
import { routesOf, serveRoutes } from './resource-server.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** The API behind real HTTP, over real control, store and links; the agent is a fake that a test speaks for. */
export async function startExecutionServer(cleaner: Cleaner, options: CallsRigOptions = {}) {
  const rig = await openCallsRig(cleaner, options);
  const server = await serveRoutes(cleaner, rig.folder, routesOf(rig));
  const post = (body: unknown) => server.sendJson('POST', '/v1/executions', body);
  /** Asks again until the execution has ended. */
  const ended = async (id: string) => {
    for (;;) {
      const { json } = await server.send('GET', `/v1/executions/${id}`);
      if (json['status'] !== 'running') return json;
      await new Promise(setImmediate);
    }
  };
  return { ...rig, ...server, post, ended };
}

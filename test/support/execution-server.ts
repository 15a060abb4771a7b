import { executionRoutes } from '../../gateway/api/executions.ts';
import { functionRoutes } from '../../gateway/api/functions.ts';
import { runtimeRoutes } from '../../gateway/api/runtimes.ts';
import { Executions } from '../../gateway/control/executions.ts';
import { notAvailable } from '../../gateway/control/runtimes.ts';
import { Invoker } from '../../gateway/invoke/invoker.ts';
import { toTarget } from '../../gateway/invoke/target.ts';
import { Targets } from '../../gateway/invoke/targets.ts';
import { LinkSet } from '../../gateway/link/link-set.ts';
import { FakeAgent } from './fake-agent.ts';
import { openFunctionsRig } from './functions-rig.ts';
import { serveRoutes } from './resource-server.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

export interface ExecutionServerOptions {
  readonly workerCount?: number;
  readonly maxWaitingCalls?: number;
  readonly maxWaitingMs?: number;
}

const CONCURRENCY = 3;

/** The API behind real HTTP, over real control, store and links; the agent is a fake that a test speaks for. */
export async function startExecutionServer(cleaner: Cleaner, options: ExecutionServerOptions = {}) {
  const { workerCount = 2, maxWaitingCalls = 100, maxWaitingMs = 60_000 } = options;
  const rig = await openFunctionsRig(cleaner, (functionId, needsFreshWorkers) => {
    targets.drop(functionId);
    if (needsFreshWorkers) invoker.releaseFunction(functionId);
  });
  const { runtimes, functions, store } = rig;
  const links = new LinkSet({ maxOutputBytes: 1_000_000, concurrency: CONCURRENCY });
  const targets: Targets = new Targets(
    (functionId) => functions.read(functionId),
    (record) => {
      const poolName = runtimes.poolNameOf(runtimes.find(record.runtimeId!)!)!;
      return toTarget(record, record.runtimeId!, poolName, record.packageDigest!);
    },
    ({ runtimeId }) => (runtimes.find(runtimeId)?.status === 'available' ? undefined : notAvailable(runtimeId)),
  );
  const callFaults: unknown[] = [];
  const executions: Executions = new Executions(store.executions, targets, {
    maxWaitingMs,
    returnGraceMs: 0,
    onFault: (cause) => void callFaults.push(cause),
  });
  const invoker: Invoker = new Invoker(links, {
    concurrency: CONCURRENCY,
    maxWaitingCalls,
    idleMs: 3_600_000,
    adoptCall: (executionId, link) => executions.adoptCall(executionId, link),
    onWarning: () => undefined,
  });
  const pools = [runtimes.poolNameOf(runtimes.find(rig.runtimeId)!)!];
  const agent = new FakeAgent(links, { pools, workerCount }).connect();
  await executions.start(invoker);
  const routes = [...runtimeRoutes(runtimes), ...functionRoutes(functions), ...executionRoutes(executions)];
  cleaner.after(() => {
    invoker.close();
    executions.close();
    links.close();
  });
  const server = await serveRoutes(cleaner, rig.folder, routes);
  const post = (body: unknown) => server.sendJson('POST', '/v1/executions', body);
  /** Asks again until the execution has ended. */
  const ended = async (id: string) => {
    for (;;) {
      const { json } = await server.send('GET', `/v1/executions/${id}`);
      if (json['status'] !== 'running') return json;
      await new Promise(setImmediate);
    }
  };
  return { ...rig, ...server, agent, links, executions, invoker, callFaults, post, ended };
}

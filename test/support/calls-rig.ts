import { CallTargets } from '../../gateway/control/call-targets.ts';
import { Executions } from '../../gateway/control/executions.ts';
import { RecordedTargets } from '../../gateway/control/recorded-targets.ts';
import { Scaling } from '../../gateway/control/scaling.ts';
import { AliasTargets } from '../../gateway/invoke/alias-targets.ts';
import { Runner } from '../../gateway/control/runner.ts';
import { Invoker } from '../../gateway/invoke/invoker.ts';
import { Targets } from '../../gateway/invoke/targets.ts';
import { LinkSet } from '../../gateway/link/link-set.ts';
import type { Hello } from '../../protocol/message.ts';
import { FakeAgent } from './fake-agent.ts';
import { openFunctionsRig, type FunctionsRig } from './functions-rig.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

export interface CallsRigOptions {
  /** Of the fake agent; with 0 there is none. */
  readonly workerCount?: number;
  readonly maxWaitingCalls?: number;
  readonly maxWaitingMs?: number;
  /** How long the start waits for agents that bring back what an earlier process sent. */
  readonly returnGraceMs?: number;
  /** What an earlier process left in the store. */
  readonly leave?: (rig: FunctionsRig) => Promise<unknown>;
  /** What the agent says beside the usual. */
  readonly hello?: Partial<Hello>;
}

const CONCURRENCY = 3;

/** Functions that can be called: real control over a real store, and real links; a test speaks for the fake agent. */
export async function openCallsRig(cleaner: Cleaner, options: CallsRigOptions = {}) {
  const { workerCount = 2, maxWaitingCalls = 100, maxWaitingMs = 60_000, returnGraceMs = 0 } = options;
  const rig = await openFunctionsRig(cleaner, {
    onChange: (functionId, version, needsFreshWorkers) => {
      targets.drop(functionId, version);
      if (needsFreshWorkers) invoker.workers.detach(functionId, version);
    },
    onMoved: (projectId, name) => aliasTargets.drop(projectId, name),
  });
  await options.leave?.(rig);
  const targets = new Targets(new RecordedTargets(rig.store, rig.runtimes));
  const aliasTargets = new AliasTargets((projectId, name) => rig.aliases.read(projectId, name));
  const callTargets = new CallTargets(targets, aliasTargets, rig.store.functions);
  const callFaults: unknown[] = [];
  const executions = new Executions(rig.store.executions, targets, callTargets, {
    maxWaitingMs,
    returnGraceMs,
    onFault: (cause) => void callFaults.push(cause),
  });
  const links = new LinkSet({ maxOutputBytes: 1_000_000, concurrency: CONCURRENCY });
  const invoker = new Invoker(links, {
    concurrency: CONCURRENCY,
    maxWaitingCalls,
    idleMs: 3_600_000,
    adoptCall: (executionId, link) => executions.adoptCall(executionId, link),
    onWarning: () => undefined,
  });
  cleaner.after(() => {
    invoker.close();
    executions.close();
    links.close();
  });
  const agent = new FakeAgent(links, { pools: ['pool-of-python'], workerCount, ...options.hello });
  if (workerCount > 0) agent.connect();
  await executions.start(new Runner(invoker));
  const scaling = new Scaling(rig.commons, targets, invoker.workers);
  return { ...rig, targets, aliasTargets, callTargets, executions, callFaults, links, invoker, agent, scaling };
}

export type CallsRig = Awaited<ReturnType<typeof openCallsRig>>;

import { CallTargets } from '../../gateway/control/call-targets.ts';
import { Executions } from '../../gateway/control/executions.ts';
import { RecordedTargets } from '../../gateway/control/recorded-targets.ts';
import { Scaling } from '../../gateway/control/scaling.ts';
import { AliasTargets } from '../../gateway/invoke/alias-targets.ts';
import { Invoker } from '../../gateway/invoke/invoker.ts';
import { Targets } from '../../gateway/invoke/targets.ts';
import { LinkSet } from '../../gateway/link/link-set.ts';
import { FakeAgent } from './fake-agent.ts';
import { openFunctionsRig } from './functions-rig.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

const CONCURRENCY = 3;

/** Functions that can be called, on one agent of four workers that loads what it is told and runs what the test says. */
export async function openCallsRig(cleaner: Cleaner) {
  const rig = await openFunctionsRig(cleaner, {
    onChange: (functionId, version, needsFreshWorkers) => {
      targets.drop(functionId, version);
      if (needsFreshWorkers) invoker.workers.detach(functionId, version);
    },
    onMoved: (projectId, name) => aliasTargets.drop(projectId, name),
  });
  const targets = new Targets(new RecordedTargets(rig.store, rig.runtimes));
  const aliasTargets = new AliasTargets((projectId, name) => rig.aliases.read(projectId, name));
  const callTargets = new CallTargets(targets, aliasTargets, rig.store.functions);
  const onFault = (cause: unknown) => void rig.faults.push(cause);
  const options = { maxWaitingMs: 60_000, returnGraceMs: 0, onFault };
  const executions = new Executions(rig.store.executions, targets, callTargets, options);
  const links = new LinkSet({ maxOutputBytes: 1_000_000, concurrency: CONCURRENCY });
  const invoker = new Invoker(links, {
    concurrency: CONCURRENCY,
    maxWaitingCalls: 100,
    idleMs: 60_000,
    adoptCall: (executionId, link) => executions.adoptCall(executionId, link),
    onWarning: (message) => void rig.faults.push(message),
  });
  cleaner.after(() => {
    invoker.close();
    executions.close();
    links.close();
  });
  await executions.start(invoker);
  const agent = new FakeAgent(links, { pools: ['pool-of-python'], workerCount: 4 }).connect();
  const scaling = new Scaling(rig.commons, targets, invoker.workers);
  return { ...rig, targets, aliasTargets, callTargets, executions, invoker, agent, scaling };
}

import { systemClock } from './clock.ts';
import type { Config } from './config/load.ts';
import { Aliases } from './control/aliases.ts';
import { CallTargets } from './control/call-targets.ts';
import { ChangeWatch } from './control/change-watch.ts';
import { Executions } from './control/executions.ts';
import type { FunctionCommons } from './control/function-commons.ts';
import { FunctionPackages } from './control/function-packages.ts';
import { Functions } from './control/functions.ts';
import { InUse, aliasHolder } from './control/in-use.ts';
import { ImageCalls } from './control/image-calls.ts';
import { JobTimer } from './control/job-timer.ts';
import { Jobs, jobHolder } from './control/jobs.ts';
import { RecordedTargets } from './control/recorded-targets.ts';
import { RoomMaker } from './control/room-maker.ts';
import { RunNames } from './control/run-names.ts';
import { Runner } from './control/runner.ts';
import { Runtimes } from './control/runtimes.ts';
import { Scaling } from './control/scaling.ts';
import { Turns } from './control/turns.ts';
import { Versions } from './control/versions.ts';
import { Webhooks, webhookHolder } from './control/webhooks.ts';
import { DataDirectory } from './data-directory.ts';
import { ExecutionIds } from './execution-id.ts';
import { Invoker } from './invoke/invoker.ts';
import { AliasTargets } from './invoke/alias-targets.ts';
import { namedBy } from './invoke/target.ts';
import { Targets } from './invoke/targets.ts';
import { LinkSet } from './link/link-set.ts';
import type { Logger } from './log.ts';
import type { Orchestrator, OrchestratorProcess } from './orchestrator/orchestrator.ts';
import { PackageBuilder } from './packages/package-builder.ts';
import { createPackageStorage } from './storage/create.ts';
import type { Store } from './store/store.ts';

/** What is there before the services. */
export interface Parts {
  readonly store: Store;
  readonly storage: ReturnType<typeof createPackageStorage>;
  readonly links: LinkSet;
  readonly orchestrator: Orchestrator & OrchestratorProcess;
  readonly data: DataDirectory;
  readonly ids: ExecutionIds;
}

/** The services over the store, and the road of a call that they share. */
export function assembleServices(
  config: Config,
  log: Logger,
  { store, storage, links, orchestrator, data, ids }: Parts,
) {
  const onFault = (cause: unknown, message: string) => log.error({ err: cause }, message);
  const targets: Targets = new Targets({
    read: (functionId, version) => recordedTargets.read(functionId, version),
    whyNotRunnable: (target) => recordedTargets.whyNotRunnable(target),
  });
  const aliasTargets: AliasTargets = new AliasTargets((projectId, name) => aliases.read(projectId, name));
  const callTargets = new CallTargets(targets, aliasTargets, store.functions);
  const executions: Executions = new Executions(store.executions, targets, callTargets, {
    maxWaitingMs: config.engine.maxWaitingTime * 1000,
    returnGraceMs: orchestrator.returnGraceMs,
    ids,
    onFault,
  });
  const invoker: Invoker = new Invoker(links, {
    concurrency: config.engine.functionConcurrency,
    maxWaitingCalls: config.engine.maxWaitingCalls,
    idleMs: config.engine.functionServiceExpiration * 1000,
    adoptCall: (executionId, link) => executions.adoptCall(executionId, link),
    findTarget: (targetKey) => {
      const { functionId, version } = namedBy(targetKey);
      return targets.load(functionId, version);
    },
    onWarning: (message) => log.warn(message),
  });
  const runtimes: Runtimes = new Runtimes(store, orchestrator, invoker.workers, {
    timeoutMs: config.engine.runtimeTimeout * 1000,
    onFault,
  });
  const { imageRunner } = orchestrator;
  const runsImages = imageRunner !== undefined;
  const images =
    imageRunner &&
    new ImageCalls(imageRunner, {
      maxRunning: config.engine.maxImageExecutions,
      maxWaiting: config.engine.maxWaitingCalls,
    });
  const runner = new Runner(invoker, images);
  const recordedTargets = new RecordedTargets(store, runtimes, runsImages);
  const builder = new PackageBuilder(data.uploads, {
    maxUnpackedBytes: config.storage.maxUnpackedBytes,
    maxEntries: config.storage.maxPackageEntries,
  });
  const commons: FunctionCommons = {
    store,
    packages: new FunctionPackages(storage, builder, store, onFault),
    turns: new Turns(),
    inUse: new InUse([jobHolder(store.jobs), webhookHolder(store.webhooks), aliasHolder(store.aliases)]),
    onChange: (functionId, version, needsFreshWorkers) => {
      targets.drop(functionId, version);
      if (needsFreshWorkers) invoker.workers.detach(functionId, version);
    },
  };
  const functions = new Functions(commons, runtimes, resourceLimits(config.resourceLimits), runsImages);
  const versions = new Versions(commons);
  const aliases = new Aliases(commons, (projectId, name) => aliasTargets.drop(projectId, name));
  const scaling = new Scaling(commons, targets, invoker.workers);
  const changeWatch = new ChangeWatch(store, {
    onChange: () => {
      const dropAll = () => {
        targets.dropAll(); // made of runtimes, too
        aliasTargets.dropAll();
      };
      runtimes.refresh().then(dropAll, (cause: unknown) => onFault(cause, 'the runtimes could not be read again'));
    },
    onFault: (cause) => onFault(cause, 'changes by other processes were not looked for'),
  });
  const roomMaker = new RoomMaker(invoker.workers, orchestrator, {
    onFault: (cause) => onFault(cause, 'it is not known whether workers lack room'),
    onEnded: (count, poolName) => log.info(`${count} idle workers are ended to make room in the pool ${poolName}`),
  });
  const names = new RunNames(commons);
  const jobTimer = new JobTimer(store.jobs, executions, {
    clock: systemClock,
    onFault,
    onWarning: (message) => log.warn(message),
  });
  const jobs = new Jobs(store.jobs, names, { clock: systemClock, onChange: () => jobTimer.wake() });
  const { rateLimit, rateBurst } = config.webhooks;
  const webhooks = new Webhooks(store.webhooks, names, executions, { perSecond: rateLimit, burst: rateBurst });
  return {
    executions,
    functions,
    versions,
    aliases,
    scaling,
    runtimes,
    jobs,
    jobTimer,
    webhooks,
    invoker,
    runner,
    changeWatch,
    roomMaker,
  };
}

/** The ranges of functions' limits. */
export function resourceLimits(limits: Config['resourceLimits']) {
  return {
    cpu: { usual: limits.defaultCpu, least: limits.minCpu, most: limits.maxCpu },
    memory: { usual: limits.defaultMemory, least: limits.minMemory, most: limits.maxMemory },
    timeout: { usual: limits.defaultTimeout, least: limits.minTimeout, most: limits.maxTimeout },
  };
}

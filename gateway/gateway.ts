import { mkdirSync, rmSync } from 'node:fs';
import { internalRoutes } from './api/internal.ts';
import type { Operation } from './api/operation.ts';
import { publicRoutes } from './api/public-routes.ts';
import { ANYBODY } from './auth/access.ts';
import { createGuard } from './auth/create.ts';
import { systemClock } from './clock.ts';
import { databasePath, type Config } from './config/load.ts';
import { Aliases } from './control/aliases.ts';
import { CallTargets } from './control/call-targets.ts';
import { ChangeWatch } from './control/change-watch.ts';
import { Executions } from './control/executions.ts';
import type { FunctionCommons } from './control/function-commons.ts';
import { FunctionPackages } from './control/function-packages.ts';
import { Functions } from './control/functions.ts';
import { GatewayLease } from './control/gateway-lease.ts';
import { InUse, aliasHolder } from './control/in-use.ts';
import { JobTimer } from './control/job-timer.ts';
import { Jobs, jobHolder } from './control/jobs.ts';
import { RecordedTargets } from './control/recorded-targets.ts';
import { Retention } from './control/retention.ts';
import { RoomMaker } from './control/room-maker.ts';
import { RunNames } from './control/run-names.ts';
import { Runtimes, type NewRuntime } from './control/runtimes.ts';
import { Scaling } from './control/scaling.ts';
import { Turns } from './control/turns.ts';
import { Versions } from './control/versions.ts';
import { Webhooks, webhookHolder } from './control/webhooks.ts';
import { DataDirectory } from './data-directory.ts';
import { ExecutionIds } from './execution-id.ts';
import { Cors } from './http/cors.ts';
import type { ExchangeOptions } from './http/exchange.ts';
import { probePort } from './http/port-probe.ts';
import { HttpServer } from './http/server.ts';
import { Invoker } from './invoke/invoker.ts';
import { AliasTargets } from './invoke/alias-targets.ts';
import { namedBy } from './invoke/target.ts';
import { Targets } from './invoke/targets.ts';
import { LinkSet } from './link/link-set.ts';
import { acceptLinks } from './link/socket.ts';
import type { Logger } from './log.ts';
import { loadOrchestrator } from './orchestrator/create.ts';
import type { Orchestrator, OrchestratorProcess } from './orchestrator/orchestrator.ts';
import { PackageBuilder } from './packages/package-builder.ts';
import { createPackageStorage } from './storage/create.ts';
import { openSqliteStore } from './store/sqlite/sqlite-store.ts';
import type { Store } from './store/store.ts';

/** How long the start waits for the agent before it serves without it. */
const AGENT_START_MS = 15_000;

/** What someone who started the gateway wants to know. */
export interface StartedGateway {
  readonly address: string;
  readonly internalAddress: string;
  readonly dataDirectory: string;
  /** Runtimes that this machine offers. */
  readonly poolNames: readonly string[];
  /** True if nobody is asked who he is. */
  readonly isOpen: boolean;
  /** The routes of the API. */
  readonly operations: readonly Operation[];
  /** Reads again the files that may be changed while it runs; faults are logged. */
  reload(): void;
  /** Takes no new work, lets what runs end (bounded), closes everything. */
  stop(): Promise<void>;
}

/** Builds the parts, starts them in their order, and closes them in reverse. Throws an Error with one readable line. */
export async function startGateway(config: Config, log: Logger): Promise<StartedGateway> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error: unknown) => log.error({ err: error }, 'a part did not close'));
    }
  };
  try {
    return await startParts(config, log, closers, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function startParts(
  config: Config,
  log: Logger,
  closers: (() => Promise<void> | void)[],
  closeAll: () => Promise<void>,
): Promise<StartedGateway> {
  const onFault = (cause: unknown, message: string) => log.error({ err: cause }, message);
  const { type, credentialsFile } = config.auth;
  const { policyFile } = config.osloPolicy;
  const guard = createGuard({ type, credentialsFile, policyFile }, log.child({ part: 'auth' }));
  closers.push(() => guard.close());
  await probePort(config.api.host, config.api.port);
  const data = new DataDirectory(config.default.dataDir);
  closers.push(() => data.close());
  rmSync(data.uploads, { recursive: true, force: true }); // what an earlier process had under way
  mkdirSync(data.uploads, { mode: 0o700 });

  const { connection } = config.database;
  const store = await openSqliteStore({
    path: connection === '' ? data.database : databasePath(connection),
    gatewayId: data.gatewayId,
    synchronous: config.database.synchronous as 'normal' | 'full',
    onFault: (cause) => onFault(cause, 'the checkpoint thread failed'),
  });
  closers.push(() => store.close());
  const ids = new ExecutionIds();
  const lease: GatewayLease = new GatewayLease(store.gateways, {
    clock: systemClock,
    leaseMs: config.default.gatewayLease * 1000,
    onNumber: (number) => (ids.gatewayNumber = number),
    onGone: (gatewayId) => executions.takeOver(gatewayId),
    onFault,
    onWarning: (message) => log.warn(message),
  });
  closers.push(() => lease.close());
  await lease.start();
  const storage = createPackageStorage(config.storage);
  const makeOrchestrator = await loadOrchestrator(config);

  const links = new LinkSet({
    maxOutputBytes: config.engine.maxResultBytes,
    concurrency: config.engine.functionConcurrency,
  });
  let doAgentsStay = false;
  closers.push(() => (doAgentsStay ? links.leave() : links.close()));
  let isReady = false;
  const exchangeOptions: ExchangeOptions = {
    maxBodyBytes: config.api.maxBodyBytes,
    uploads: { directory: data.uploads, maxFileBytes: config.storage.maxPackageBytes },
    isBehindProxy: config.osloMiddleware.enableProxyHeadersParsing,
    onFault,
  };
  const internal = new HttpServer({
    ...exchangeOptions,
    routes: internalRoutes({
      mayFetch: async (authorization, digest) => {
        const identity = await orchestrator.authenticate(authorization);
        return (
          identity !== undefined && (identity.agentName === undefined || links.mayFetch(identity.agentName, digest))
        );
      },
      isReady: () => isReady,
      openTar: (digest) => storage.openTar(digest),
    }),
    cors: new Cors({ allowedOrigins: [], isOpen: false, isLoopbackOnly: false }),
    extend: (app) =>
      acceptLinks(app, links, {
        authenticator: { authenticate: (authorization) => orchestrator.authenticate(authorization) },
        log: linkLog(log),
      }),
  });
  await internal.listen(config.internal.host, config.internal.port);
  closers.push(() => internal.close());
  const internalAddress = `http://${hostInUrl(config.internal.host)}:${internal.port}`;

  const orchestrator = makeOrchestrator({
    links,
    internalAddress,
    internalPort: internal.port,
    onRuntimeFound: (name) =>
      void registerRuntime(runtimes, name).catch((error: unknown) => onFault(error, `${name} was not registered`)),
    log,
  });
  closers.push(() => orchestrator.close());
  doAgentsStay = orchestrator.returnGraceMs > 0; // they keep what they have for the next process
  const services = assemble(config, log, { store, storage, links, orchestrator, data, ids });
  const { executions, runtimes, invoker, jobTimer, changeWatch, roomMaker } = services;
  closers.push(() => runtimes.close());
  closers.push(() => changeWatch.close());
  closers.push(() => roomMaker.close());
  closers.push(() => {
    invoker.close();
    executions.close();
  });
  const retention = new Retention(store.executions, {
    maxAgeMs: config.executions.retentionMaxAge * 1000,
    maxCount: config.executions.retentionMaxCount,
    onFault: (cause) => onFault(cause, 'old executions were not removed'),
  });
  closers.push(() => retention.close());
  closers.push(() => jobTimer.close());

  const poolNames = await orchestrator.start(AGENT_START_MS);
  await runtimes.start();
  await changeWatch.start();
  await runtimes.createFirst(ANYBODY, poolNames.map(foundRuntime));
  await executions.start(invoker);
  await orchestrator.reconcile(runtimes.availablePools());
  lease.watch();
  retention.start();
  roomMaker.start();
  if (config.api.enableJobHandler) jobTimer.start();

  const { host } = config.api;
  const isOpen = type === 'none';
  const publicEndpoint = config.default.qinlingEndpoint;
  const facts = { limits: resourceLimits(config.resourceLimits), isOpen };
  const operations = publicRoutes({ ...services, publicEndpoint }, facts);
  const server = new HttpServer({
    ...exchangeOptions,
    guard,
    routes: operations,
    cors: new Cors({ allowedOrigins: config.cors.allowedOrigin, isOpen, isLoopbackOnly: isLoopback(host) }),
  });
  await server.listen(host, config.api.port);
  closers.push(() => server.close());
  if (isOpen && !isLoopback(host)) {
    log.warn(
      `the API listens on ${host} WITHOUT AUTHENTICATION: everybody who reaches it can run code on this machine`,
    );
  }
  isReady = true;
  const stop = async () => {
    isReady = false;
    const timeoutMs = config.default.shutdownTimeout * 1000;
    await jobTimer.close();
    await Promise.all([server.drain(timeoutMs), executions.drain(timeoutMs)]);
    await closeAll();
  };
  const address = `http://${hostInUrl(host)}:${server.port}`;
  const reload = () => guard.reload();
  return { address, internalAddress, dataDirectory: data.path, poolNames, isOpen, operations, reload, stop };
}

interface Parts {
  readonly store: Store;
  readonly storage: ReturnType<typeof createPackageStorage>;
  readonly links: LinkSet;
  readonly orchestrator: Orchestrator & OrchestratorProcess;
  readonly data: DataDirectory;
  readonly ids: ExecutionIds;
}

/** The services over the store, and the road of a call that they share. */
function assemble(config: Config, log: Logger, { store, storage, links, orchestrator, data, ids }: Parts) {
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
  const recordedTargets = new RecordedTargets(store, runtimes);
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
  const functions = new Functions(commons, runtimes, resourceLimits(config.resourceLimits));
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
    changeWatch,
    roomMaker,
  };
}

/** A runtime that this machine offers, as a public one that is there from the start. */
async function registerRuntime(runtimes: Runtimes, name: string): Promise<void> {
  if (!runtimes.hasImage(name)) await runtimes.create(ANYBODY, foundRuntime(name));
}

function foundRuntime(name: string): NewRuntime {
  return { name, image: name, description: 'Found on this machine', isPublic: true, isTrusted: true };
}

function resourceLimits(limits: Config['resourceLimits']) {
  return {
    cpu: { usual: limits.defaultCpu, least: limits.minCpu, most: limits.maxCpu },
    memory: { usual: limits.defaultMemory, least: limits.minMemory, most: limits.maxMemory },
    timeout: { usual: limits.defaultTimeout, least: limits.minTimeout, most: limits.maxTimeout },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function hostInUrl(host: string): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return reachable.includes(':') ? `[${reachable}]` : reachable;
}

function linkLog(log: Logger) {
  return {
    info: (text: string) => log.info(text),
    warn: (text: string) => log.warn(text),
    debug: (text: string) => log.debug(text),
  };
}

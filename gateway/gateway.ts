import { mkdirSync, rmSync } from 'node:fs';
import { internalRoutes } from './api/internal.ts';
import type { Operation } from './api/operation.ts';
import { publicRoutes } from './api/public-routes.ts';
import { ANYBODY } from './auth/access.ts';
import { createGuard } from './auth/create.ts';
import type { Config } from './config/load.ts';
import { Executions } from './control/executions.ts';
import { Functions } from './control/functions.ts';
import { Retention } from './control/retention.ts';
import { Runtimes, notAvailable } from './control/runtimes.ts';
import { DataDirectory } from './data-directory.ts';
import { QinlingError, invalidInput } from './errors.ts';
import { Cors } from './http/cors.ts';
import type { ExchangeOptions } from './http/exchange.ts';
import { HttpServer } from './http/server.ts';
import { Invoker } from './invoke/invoker.ts';
import { functionIdOf, toTarget, type Target } from './invoke/target.ts';
import { Targets } from './invoke/targets.ts';
import { LinkSet } from './link/link-set.ts';
import { acceptLinks } from './link/socket.ts';
import type { Logger } from './log.ts';
import { createOrchestrator } from './orchestrator/create.ts';
import type { Orchestrator, OrchestratorProcess } from './orchestrator/orchestrator.ts';
import { PackageBuilder } from './packages/package-builder.ts';
import { createPackageStorage } from './storage/create.ts';
import { openSqliteStore } from './store/sqlite/sqlite-store.ts';
import { RuntimeStatus, type FunctionRecord, type Store } from './store/store.ts';

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
  const data = new DataDirectory(config.default.dataDir);
  closers.push(() => data.close());
  rmSync(data.uploads, { recursive: true, force: true }); // what an earlier process had under way
  mkdirSync(data.uploads, { mode: 0o700 });

  const store = await openSqliteStore({
    path: data.database,
    synchronous: config.database.synchronous as 'normal' | 'full',
    onFault: (cause) => onFault(cause, 'the checkpoint thread failed'),
  });
  closers.push(() => store.close());
  const storage = createPackageStorage(config.storage);

  const links = new LinkSet({
    maxOutputBytes: config.engine.maxResultBytes,
    concurrency: config.engine.functionConcurrency,
  });
  // Agents that outlive this process keep what they have for the next one.
  closers.push(() => (orchestrator.returnGraceMs > 0 ? links.leave() : links.close()));
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

  const orchestrator = createOrchestrator(config, {
    links,
    internalAddress,
    internalPort: internal.port,
    onRuntimeFound: (name) =>
      void registerRuntime(runtimes, name).catch((error: unknown) => onFault(error, `${name} was not registered`)),
    log,
  });
  closers.push(() => orchestrator.close());
  const { executions, functions, runtimes, invoker } = assemble(config, log, {
    store,
    storage,
    links,
    orchestrator,
    data,
  });
  closers.push(() => runtimes.close());
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

  const poolNames = await orchestrator.start(AGENT_START_MS);
  await runtimes.start();
  if (runtimes.count === 0) for (const name of poolNames) await registerRuntime(runtimes, name);
  await executions.start(invoker);
  await orchestrator.reconcile(runtimes.availablePools());
  retention.start();

  const { host } = config.api;
  const isOpen = type === 'none';
  const operations = publicRoutes(
    { runtimes, functions, executions },
    { limits: resourceLimits(config.resourceLimits), isOpen },
  );
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
}

/** The services over the store, and the road of a call that they share. */
function assemble(config: Config, log: Logger, { store, storage, links, orchestrator, data }: Parts) {
  const onFault = (cause: unknown, message: string) => log.error({ err: cause }, message);
  const targets: Targets = new Targets(
    (functionId) => functions.read(functionId),
    (record) => targetOf(record, runtimes),
    (target) => whyNotRunnable(target, runtimes),
  );
  const executions: Executions = new Executions(store.executions, targets, {
    maxWaitingMs: config.engine.maxWaitingTime * 1000,
    returnGraceMs: orchestrator.returnGraceMs,
    onFault,
  });
  const invoker: Invoker = new Invoker(links, {
    concurrency: config.engine.functionConcurrency,
    maxWaitingCalls: config.engine.maxWaitingCalls,
    idleMs: config.engine.functionServiceExpiration * 1000,
    adoptCall: (executionId, link) => executions.adoptCall(executionId, link),
    findTarget: (targetKey) => targets.load(functionIdOf(targetKey)),
    onWarning: (message) => log.warn(message),
  });
  const runtimes: Runtimes = new Runtimes(store, orchestrator, invoker, {
    timeoutMs: config.engine.runtimeTimeout * 1000,
    onFault,
  });
  const builder = new PackageBuilder(data.uploads, {
    maxUnpackedBytes: config.storage.maxUnpackedBytes,
    maxEntries: config.storage.maxPackageEntries,
  });
  const functions: Functions = new Functions(store, storage, builder, runtimes, {
    limits: resourceLimits(config.resourceLimits),
    onFault,
    onChange: (functionId, needsFreshWorkers) => {
      targets.drop(functionId);
      if (needsFreshWorkers) invoker.releaseFunction(functionId);
    },
  });
  return { executions, functions, runtimes, invoker };
}

/** A runtime that this machine offers, as a public one that is there from the start. */
async function registerRuntime(runtimes: Runtimes, name: string): Promise<void> {
  if (runtimes.hasImage(name)) return;
  const description = 'Found on this machine';
  await runtimes.create(ANYBODY, { name, image: name, description, isPublic: true, isTrusted: true });
}

function targetOf(record: FunctionRecord, runtimes: Runtimes): Target {
  const runtime = record.runtimeId === null ? undefined : runtimes.find(record.runtimeId);
  if (runtime === undefined || record.packageDigest === null) throw invalidInput('The function has no code to run.');
  const poolName = runtimes.poolNameOf(runtime);
  if (poolName === undefined) throw notAvailable(runtime.id);
  return toTarget(record, runtime.id, poolName, record.packageDigest);
}

function whyNotRunnable(target: Target, runtimes: Runtimes): QinlingError | undefined {
  const isAvailable = runtimes.find(target.runtimeId)?.status === RuntimeStatus.Available;
  return isAvailable ? undefined : notAvailable(target.runtimeId);
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

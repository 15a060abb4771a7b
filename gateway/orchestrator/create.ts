import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/load.ts';
import type { LinkSet } from '../link/link-set.ts';
import { logLevelOf, type Logger } from '../log.ts';
import { KubernetesClient } from './kubernetes/client.ts';
import { KubernetesOrchestrator } from './kubernetes/kubernetes-orchestrator.ts';
import type { PoolOptions } from './kubernetes/pool-deployment.ts';
import { LOCAL_AGENT_NAME, LocalOrchestrator } from './local/local-orchestrator.ts';
import type { Orchestrator, OrchestratorProcess } from './orchestrator.ts';
import { RuntimeImages } from './runtime-images.ts';

const OWN_RUNTIMES = fileURLToPath(new URL('../../../runtimes', import.meta.url));
const AGENT_STOP_MARGIN_MS = 5_000;

export interface OrchestratorParts {
  readonly links: LinkSet;
  /** http://HOST:PORT of the internal listener, as this machine reaches it. */
  readonly internalAddress: string;
  readonly internalPort: number;
  /** A runtime that nobody asked for is offered. */
  readonly onRuntimeFound: (name: string) => void;
  readonly log: Logger;
}

/** The orchestrator that the configuration names. */
export function createOrchestrator(config: Config, parts: OrchestratorParts): Orchestrator & OrchestratorProcess {
  return config.engine.orchestrator === 'kubernetes'
    ? createKubernetesOrchestrator(config, parts)
    : createLocalOrchestrator(config, parts);
}

function createLocalOrchestrator(config: Config, { links, internalAddress, log }: OrchestratorParts) {
  const { local } = config;
  const runtimesDirectory = runtimesDirectoryOf(config);
  const ownName = createHash('sha256').update(config.default.dataDir).digest('hex').slice(0, 12);
  const workDirectory = local.workDir === '' ? join(tmpdir(), `qinling-${ownName}`) : local.workDir;
  const drainSeconds = config.default.shutdownTimeout;
  return new LocalOrchestrator(links, new RuntimeImages(runtimesDirectory), {
    environment: {
      QINLING_AGENT_GATEWAY_URL: internalAddress,
      QINLING_AGENT_NAME: LOCAL_AGENT_NAME,
      QINLING_AGENT_TOKEN_FILE: '-',
      QINLING_AGENT_WORKERS: String(local.workers),
      QINLING_AGENT_PREWARMED: String(local.prewarmed),
      QINLING_AGENT_WORK_DIR: workDirectory,
      QINLING_AGENT_RUNTIMES_DIR: runtimesDirectory,
      QINLING_AGENT_SEARCH_PATH: local.searchPath.join(':'),
      QINLING_AGENT_ISOLATION: local.isolation,
      QINLING_AGENT_DRAIN_SECONDS: String(drainSeconds),
      QINLING_AGENT_LOG_LEVEL: logLevelOf(config.default),
    },
    token: config.internal.token,
    stopMs: drainSeconds * 1000 + AGENT_STOP_MARGIN_MS,
    log: partLog(log),
  });
}

function createKubernetesOrchestrator(config: Config, { links, internalPort, onRuntimeFound, log }: OrchestratorParts) {
  const { kubernetes } = config;
  const usesFiles = kubernetes.useApiCertificate;
  const client = new KubernetesClient({
    host: kubernetes.kubeHost,
    caFile: usesFiles ? kubernetes.sslCaCert : '',
    certFile: usesFiles ? kubernetes.certFile : '',
    keyFile: usesFiles ? kubernetes.keyFile : '',
  });
  return new KubernetesOrchestrator(client, links, new RuntimeImages(runtimesDirectoryOf(config)), {
    pool: poolOptions(config, internalPort),
    hostMemoryBytes: kubernetes.hostMemory,
    nodeAgentAccount: kubernetes.nodeAgentServiceAccount,
    blockedNetworks: kubernetes.networkPolicy ? kubernetes.blockedNetworks : undefined,
    onRuntimeFound,
    log: partLog(log),
  });
}

function poolOptions(config: Config, internalPort: number): PoolOptions {
  const { kubernetes, resourceLimits, storage } = config;
  const { namespace, gatewayUrl } = kubernetes;
  return {
    namespace,
    replicas: kubernetes.replicas,
    gatewayUrl: gatewayUrl === '' ? `http://qinling-internal.${namespace}.svc:${internalPort}` : gatewayUrl,
    agentImage: kubernetes.agentImage,
    imagePullPolicy: kubernetes.imagePullPolicy,
    imagePullSecrets: kubernetes.imagePullSecrets,
    serviceAccount: kubernetes.workerServiceAccount,
    tokenAudience: kubernetes.tokenAudience,
    untrustedRuntimeClass: kubernetes.untrustedRuntimeClass,
    cpuRequestMillicores: kubernetes.workerCpu,
    memoryRequestBytes: kubernetes.workerMemory,
    // Importing a module is not throttled, and a function may need all that there is before its own limit is in force.
    cpuLimitMillicores: Math.max(resourceLimits.maxCpu, kubernetes.workerCpu),
    memoryLimitBytes: Math.max(resourceLimits.maxMemory + kubernetes.hostMemory, kubernetes.workerMemory),
    scratchBytes: kubernetes.scratchSize,
    packageBytes: 2 * storage.maxUnpackedBytes,
    prewarmed: kubernetes.prewarmed,
    drainSeconds: config.default.shutdownTimeout,
    logLevel: logLevelOf(config.default),
  };
}

function runtimesDirectoryOf({ local }: Config): string {
  return local.runtimesDir === '' ? OWN_RUNTIMES : local.runtimesDir;
}

function partLog(log: Logger) {
  const part = log.child({ part: 'orchestrator' });
  return { info: (text: string) => part.info(text), warn: (text: string) => part.warn(text) };
}

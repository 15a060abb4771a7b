import type { Config } from '../../config/load.ts';
import type { LinkSet } from '../../link/link-set.ts';
import { logLevelOf } from '../../log.ts';
import type { RuntimeImages } from '../runtime-images.ts';
import { KubernetesClient } from './client.ts';
import { KubernetesOrchestrator } from './kubernetes-orchestrator.ts';
import type { PoolOptions } from './pool-deployment.ts';

export interface KubernetesParts {
  readonly links: LinkSet;
  readonly internalPort: number;
  readonly images: RuntimeImages;
  /** A runtime that nobody asked for is offered. */
  readonly onRuntimeFound: (name: string) => void;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/** The orchestrator with its client, as the configuration has them. */
export function createKubernetesOrchestrator(config: Config, parts: KubernetesParts): KubernetesOrchestrator {
  const { links, internalPort, images, onRuntimeFound, log } = parts;
  const { kubernetes } = config;
  const usesFiles = kubernetes.useApiCertificate;
  const client = new KubernetesClient({
    host: kubernetes.kubeHost,
    caFile: usesFiles ? kubernetes.sslCaCert : '',
    certFile: usesFiles ? kubernetes.certFile : '',
    keyFile: usesFiles ? kubernetes.keyFile : '',
  });
  return new KubernetesOrchestrator(client, links, images, {
    pool: poolOptions(config, internalPort),
    hostMemoryBytes: kubernetes.hostMemory,
    functionPullSecrets: kubernetes.imageFunctionPullSecrets,
    nodeAgentAccount: kubernetes.nodeAgentServiceAccount,
    blockedNetworks: kubernetes.networkPolicy ? kubernetes.blockedNetworks : undefined,
    onRuntimeFound,
    log,
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

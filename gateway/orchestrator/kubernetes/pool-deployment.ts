import { USER_CODE_UID } from '../image-runner.ts';
import type { PoolSpec } from '../orchestrator.ts';
import {
  AGENT_CONTAINER,
  deploymentName,
  Label,
  MANAGED_BY,
  PodState,
  RUNTIME_CONTAINER,
  WORKER_COMPONENT,
} from './names.ts';
import { millicores, NO_RIGHTS, restrictedPod, trustAnnotation, type PodSettings } from './restrictions.ts';

/** Everything of a pool that the configuration decides. */
export interface PoolOptions extends PodSettings {
  readonly namespace: string;
  readonly replicas: number;
  /** http://HOST:PORT of the gateway's internal listener, as pods reach it. */
  readonly gatewayUrl: string;
  readonly agentImage: string;
  readonly imagePullPolicy: string;
  readonly serviceAccount: string;
  readonly tokenAudience: string;
  /** What a worker is sure to get; limits are those of its function. */
  readonly cpuRequestMillicores: number;
  readonly memoryRequestBytes: number;
  /** Before a function is bound. */
  readonly cpuLimitMillicores: number;
  readonly memoryLimitBytes: number;
  readonly scratchBytes: number;
  readonly packageBytes: number;
  readonly prewarmed: number;
  /** How long running invocations may take when a pod is told to end. */
  readonly drainSeconds: number;
  readonly logLevel: string;
}

/** User of the agent's container; it exists in no image. */
const AGENT_UID = 65_532;
/** Seen by both containers at the same place: the runtime's gets it read-only. */
const SHARED = '/run/qinling';
const TOKEN = '/run/secrets/qinling';
const HEALTH_PORT = 7_072;
const TOKEN_SECONDS = 3_600;
/** Files in our image; manifests/images/ makes it. */
const AGENT_MAIN = '/opt/qinling/build/agent/main.js';
const INSTALL_HOSTS = '/opt/qinling/build/agent/install-hosts.js';
/** On top of what invocations may take: for the agent to say good-bye. */
const END_MARGIN_SECONDS = 10;

/**
 * The Deployment of a runtime's free workers. `preferredRuntimes`: languages that the image's name tells, best first; the
 * start script looks for others after them.
 */
export function poolDeployment(pool: PoolSpec, options: PoolOptions, preferredRuntimes: readonly string[]): object {
  const { runtimeId } = pool;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: deploymentName(runtimeId),
      namespace: options.namespace,
      labels: { [Label.ManagedBy]: MANAGED_BY, [Label.Component]: WORKER_COMPONENT, [Label.Runtime]: runtimeId },
    },
    spec: {
      replicas: options.replicas,
      revisionHistoryLimit: 1,
      // All new ones beside the old ones: nobody is served less meanwhile, and the old ones are there to go back to.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } },
      selector: { matchLabels: { [Label.Runtime]: runtimeId, [Label.State]: PodState.Free } },
      template: {
        metadata: { labels: podLabels(runtimeId), annotations: trustAnnotation(pool.isTrusted) },
        spec: podSpec(pool, options, preferredRuntimes),
      },
    },
  };
}

function podLabels(runtimeId: string): Record<string, string> {
  return {
    [Label.ManagedBy]: MANAGED_BY,
    [Label.Component]: WORKER_COMPONENT,
    [Label.Runtime]: runtimeId,
    [Label.State]: PodState.Free,
  };
}

function podSpec(pool: PoolSpec, options: PoolOptions, preferredRuntimes: readonly string[]): object {
  return {
    serviceAccountName: options.serviceAccount,
    ...restrictedPod(pool.isTrusted, options),
    terminationGracePeriodSeconds: options.drainSeconds + END_MARGIN_SECONDS,
    securityContext: { runAsNonRoot: true, fsGroup: AGENT_UID, seccompProfile: { type: 'RuntimeDefault' } },
    initContainers: [installContainer(options), runtimeContainer(pool, options, preferredRuntimes)],
    containers: [agentContainer(pool, options)],
    volumes: [
      { name: 'shared', emptyDir: { sizeLimit: String(options.packageBytes) } },
      { name: 'scratch', emptyDir: { sizeLimit: String(options.scratchBytes) } },
      { name: 'token', projected: { sources: [{ serviceAccountToken: tokenSource(options) }] } },
    ],
  };
}

function tokenSource({ tokenAudience }: PoolOptions): object {
  return { audience: tokenAudience, expirationSeconds: TOKEN_SECONDS, path: 'token' };
}

/** Puts the language hosts into the shared directory, so that any image that has the language can be a runtime. */
function installContainer({ agentImage, imagePullPolicy }: PoolOptions): object {
  return {
    name: 'hosts',
    image: agentImage,
    imagePullPolicy,
    command: ['node', INSTALL_HOSTS, SHARED],
    securityContext: { ...NO_RIGHTS, runAsUser: AGENT_UID, runAsGroup: AGENT_UID },
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
    volumeMounts: [{ name: 'shared', mountPath: SHARED }],
  };
}

/**
 * Where user code runs: the operator's image, and nothing of ours in it but the language host. It is a sidecar, so that
 * it is up before the agent and ends after it: a pod that is told to end still finishes what runs.
 */
function runtimeContainer(pool: PoolSpec, options: PoolOptions, preferredRuntimes: readonly string[]): object {
  const { cpuRequestMillicores, memoryRequestBytes, cpuLimitMillicores, memoryLimitBytes } = options;
  return {
    name: RUNTIME_CONTAINER,
    image: pool.image,
    imagePullPolicy: options.imagePullPolicy,
    restartPolicy: 'Always',
    command: ['/bin/sh', `${SHARED}/start-host`, ...preferredRuntimes],
    env: [
      { name: 'QINLING_SOCKET', value: `${SHARED}/agent/hosts.sock` },
      { name: 'QINLING_NAME', value: 'parent' },
    ],
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: { ...NO_RIGHTS, runAsUser: USER_CODE_UID, runAsGroup: USER_CODE_UID },
    resources: {
      requests: { cpu: millicores(cpuRequestMillicores), memory: String(memoryRequestBytes) },
      limits: { cpu: millicores(cpuLimitMillicores), memory: String(memoryLimitBytes) },
    },
    volumeMounts: [
      { name: 'shared', mountPath: SHARED, readOnly: true },
      { name: 'scratch', mountPath: '/tmp' },
    ],
  };
}

function agentContainer({ runtimeId }: PoolSpec, options: PoolOptions): object {
  const { agentImage, imagePullPolicy, gatewayUrl, prewarmed, drainSeconds, packageBytes, logLevel } = options;
  const settings = {
    QINLING_AGENT_GATEWAY_URL: gatewayUrl,
    QINLING_AGENT_TOKEN_FILE: `${TOKEN}/token`,
    QINLING_AGENT_POOL: runtimeId,
    QINLING_AGENT_WORKERS: '1',
    QINLING_AGENT_PREWARMED: String(prewarmed),
    QINLING_AGENT_WORK_DIR: `${SHARED}/agent`,
    QINLING_AGENT_HOST_SCRATCH_DIR: '/tmp',
    QINLING_AGENT_HEALTH_PORT: String(HEALTH_PORT),
    QINLING_AGENT_DRAIN_SECONDS: String(drainSeconds),
    QINLING_AGENT_MAX_CACHE_BYTES: String(packageBytes),
    QINLING_AGENT_LOG_LEVEL: logLevel,
  };
  return {
    name: AGENT_CONTAINER,
    image: agentImage,
    imagePullPolicy,
    command: ['node', AGENT_MAIN],
    env: [
      { name: 'QINLING_AGENT_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ...Object.entries(settings).map(([name, value]) => ({ name, value })),
    ],
    ports: [{ name: 'health', containerPort: HEALTH_PORT }],
    readinessProbe: { httpGet: { path: '/', port: 'health' }, periodSeconds: 2 },
    securityContext: { ...NO_RIGHTS, runAsUser: AGENT_UID, runAsGroup: AGENT_UID },
    resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '512Mi' } },
    volumeMounts: [
      { name: 'shared', mountPath: SHARED },
      { name: 'token', mountPath: TOKEN, readOnly: true },
    ],
  };
}

/** A label patch: the pod leaves its Deployment, which makes another one. */
export function takenPatch(functionId: string): object {
  return { metadata: { labels: { [Label.State]: PodState.Taken, [Label.Function]: functionId } } };
}

/**
 * For the `resize` of a pod: what runs in the runtime's container together may use what its function may, memory on top
 * of `hostMemoryBytes`, which the language host itself takes.
 */
export function resizePatch(
  function_: { readonly cpuMillicores: number; readonly memoryBytes: number },
  hostMemoryBytes: number,
  options: Pick<PoolOptions, 'cpuRequestMillicores' | 'memoryRequestBytes'>,
): object {
  const { cpuMillicores } = function_;
  const memoryBytes = function_.memoryBytes + hostMemoryBytes;
  const resources = {
    requests: {
      cpu: millicores(Math.min(options.cpuRequestMillicores, cpuMillicores)),
      memory: String(Math.min(options.memoryRequestBytes, memoryBytes)),
    },
    limits: { cpu: millicores(cpuMillicores), memory: String(memoryBytes) },
  };
  return { spec: { initContainers: [{ name: RUNTIME_CONTAINER, resources }] } };
}

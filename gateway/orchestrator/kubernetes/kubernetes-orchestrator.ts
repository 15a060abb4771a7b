import { hostname } from 'node:os';
import { QinlingError } from '../../errors.ts';
import type { AgentIdentity } from '../../link/agent-identity.ts';
import type { LinkSet } from '../../link/link-set.ts';
import type { Link } from '../../link/link.ts';
import { RETURN_GRACE_MS } from '../../../protocol/limits.ts';
import type { RuntimeImages } from '../runtime-images.ts';
import type { Orchestrator, OrchestratorProcess, PoolSpec } from '../orchestrator.ts';
import { isNotFound, type KubernetesClient, type KubernetesObject, type ObjectList } from './client.ts';
import { whyRefused, type DeploymentObject } from './deployment.ts';
import { ImagePods } from './image-pods.ts';
import { LackingPods } from './lacking-pods.ts';
import { deploymentName, FIELD_MANAGER, GATEWAY_CONTAINER, Label, WORKER_SELECTOR } from './names.ts';
import { isEnding, runtimeIdOf, runtimeImageOf, troubleOf, type PodObject, type Trouble } from './pod.ts';
import { PodWatch } from './pod-watch.ts';
import { poolDeployment, type PoolOptions } from './pool-deployment.ts';
import { TokenAuthenticator } from './token-authenticator.ts';
import { WorkerPods } from './worker-pods.ts';
import { workerPolicy } from './worker-policy.ts';

/** A pool's state is looked at again after this time, whatever the watches say. */
const LOOK_AGAIN_MS = 1_000;

export interface KubernetesOrchestratorOptions {
  readonly pool: PoolOptions;
  readonly hostMemoryBytes: number;
  /** For the images of image functions: not those of runtimes, which callers do not choose. */
  readonly functionPullSecrets: readonly string[];
  readonly nodeAgentAccount: string;
  /** Networks that user code may not reach; undefined: no NetworkPolicy is made. */
  readonly blockedNetworks: readonly string[] | undefined;
  /** An agent of the DaemonSet offers a runtime. */
  readonly onRuntimeFound: (name: string) => void;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/**
 * Workers in a Kubernetes cluster. A runtime is a Deployment of free workers, which the cluster refills when one is taken;
 * a runtime that has the name of one of ours is served by the agents of the DaemonSet instead.
 */
export class KubernetesOrchestrator implements Orchestrator, OrchestratorProcess {
  readonly imageRunner: ImagePods;
  readonly returnGraceMs = RETURN_GRACE_MS;
  readonly #client: KubernetesClient;
  readonly #links: LinkSet;
  readonly #images: RuntimeImages;
  readonly #options: KubernetesOrchestratorOptions;
  #pool: PoolOptions;
  readonly #pods: PodWatch;
  readonly #workers: WorkerPods;
  readonly #lacking: LackingPods;
  readonly #authenticator: TokenAuthenticator;
  readonly #foundRuntimes = new Set<string>();
  readonly #opened: Promise<void>;
  #open!: () => void;
  #unwatch: (() => void) | undefined;

  constructor(client: KubernetesClient, links: LinkSet, images: RuntimeImages, options: KubernetesOrchestratorOptions) {
    const { pool, hostMemoryBytes, nodeAgentAccount, log } = options;
    const onWarning = (text: string) => log.warn(text);
    this.#client = client;
    this.#links = links;
    this.#images = images;
    this.#options = options;
    this.#pool = pool;
    this.#opened = new Promise((resolve) => (this.#open = resolve));
    this.#pods = new PodWatch(client, pool.namespace, {
      onWarning,
      onGone: ({ metadata }) => {
        links.agentGone(metadata.name);
        this.#authenticator.forget(metadata.uid);
      },
    });
    this.#lacking = new LackingPods(client, this.#pods, pool.namespace);
    this.#authenticator = new TokenAuthenticator(client, this.#pods, {
      namespace: pool.namespace,
      audience: pool.tokenAudience,
      workerAccount: pool.serviceAccount,
      nodeAgentAccount,
      isNodeRuntime: (poolName) => images.isName(poolName),
      onWarning,
    });
    const hasLink = (podName: string) => [...links].some((link) => link.agentName === podName);
    this.imageRunner = new ImagePods(client, { ...pool, imagePullSecrets: options.functionPullSecrets }, onWarning);
    this.#workers = new WorkerPods(client, this.#pods, { pool, hostMemoryBytes, hasLink, onWarning });
  }

  async start(): Promise<string[]> {
    const { gitVersion } = await this.#client.get<{ gitVersion: string }>('/version');
    this.#options.log.info(`Kubernetes ${gitVersion}, namespace ${this.#options.pool.namespace}`);
    await this.#applyPolicy();
    if (this.#pool.agentImage === '') this.#pool = { ...this.#pool, agentImage: await this.#ownImage() };
    await this.#pods.start();
    this.#links.watchWorkers(this.#workers);
    this.#unwatch = this.#links.watch(() => this.#lookForRuntimes());
    return [];
  }

  /** Pools of runtimes that are no more go, those that lack are made; from then on agents are let in. */
  async reconcile(pools: readonly PoolSpec[]): Promise<void> {
    const wanted = new Map(pools.map((pool) => [pool.runtimeId, pool]));
    const path = this.#path('apps/v1', 'deployments');
    const list = await this.#client.get<ObjectList<KubernetesObject>>(path, { labelSelector: WORKER_SELECTOR });
    const orphans = new Set([
      ...list.items.map(({ metadata }) => metadata.labels?.[Label.Runtime] ?? ''),
      ...[...this.#pods].map((pod) => runtimeIdOf(pod) ?? ''),
    ]);
    for (const id of orphans) {
      if (id === '' || wanted.has(id)) continue;
      this.#options.log.info(`the pool of runtime ${id} is removed: there is no such runtime`);
      await this.#deletePool(id);
    }
    for (const pool of pools) if (!this.#isOnNodes(pool)) await this.#applyDeployment(pool);
    this.#workers.start();
    this.#open();
  }

  async authenticate(authorization: string): Promise<AgentIdentity | undefined> {
    await this.#opened;
    return this.#authenticator.authenticate(authorization);
  }

  poolName(pool: PoolSpec): string {
    return this.#isOnNodes(pool) ? pool.image : pool.runtimeId;
  }

  async createPool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    if (!this.#isOnNodes(pool)) await this.#applyDeployment(pool);
    await this.#waitForPool(pool, signal);
  }

  async updatePool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    await this.createPool(pool, signal);
  }

  async deletePool(pool: PoolSpec): Promise<void> {
    if (!this.#isOnNodes(pool)) await this.#deletePool(pool.runtimeId);
  }

  async lackingWorkers(poolName: string): Promise<number> {
    return this.#images.isName(poolName) ? 0 : this.#lacking.count(poolName);
  }

  async close(): Promise<void> {
    this.#unwatch?.();
    this.#open();
    await this.#workers.close();
    await this.#pods.close();
  }

  /** Images with the very name of a runtime of ours are no images: agents of the DaemonSet have that language. */
  #isOnNodes({ image }: PoolSpec): boolean {
    return this.#images.isName(image);
  }

  #path(group: string, plural: string, name = ''): string {
    const root = group === 'v1' ? '/api/v1' : `/apis/${group}`;
    return `${root}/namespaces/${this.#options.pool.namespace}/${plural}${name === '' ? '' : `/${name}`}`;
  }

  async #applyPolicy(): Promise<void> {
    const { blockedNetworks, pool } = this.#options;
    if (blockedNetworks === undefined) return;
    const policy = workerPolicy({ namespace: pool.namespace, gatewayUrl: pool.gatewayUrl, blockedNetworks });
    const { name } = (policy as KubernetesObject).metadata;
    await this.#client.apply(this.#path('networking.k8s.io/v1', 'networkpolicies', name), policy, FIELD_MANAGER);
  }

  /** The image that this process runs from has the agent too. */
  async #ownImage(): Promise<string> {
    const pod = await this.#client.get<PodObject>(this.#path('v1', 'pods', hostname())).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    const image = pod?.spec?.containers?.find(({ name }) => name === GATEWAY_CONTAINER)?.image;
    if (image === undefined) {
      throw new Error(
        '[kubernetes] agent_image must be given: this process is no pod of the cluster that tells its own',
      );
    }
    return image;
  }

  async #applyDeployment(pool: PoolSpec): Promise<void> {
    const deployment = poolDeployment(pool, this.#pool, this.#images.likelyRuntimes(pool.image));
    const path = this.#path('apps/v1', 'deployments', deploymentName(pool.runtimeId));
    await this.#client.apply(path, deployment, FIELD_MANAGER);
  }

  async #deletePool(runtimeId: string): Promise<void> {
    const propagationPolicy = 'Background';
    await this.#client.delete(this.#path('apps/v1', 'deployments', deploymentName(runtimeId)), { propagationPolicy });
    await this.#client.delete(this.#path('v1', 'pods'), {
      labelSelector: `${WORKER_SELECTOR},${Label.Runtime}=${runtimeId}`,
    });
  }

  /** Resolves once workers of the pool's present image can serve. */
  async #waitForPool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    let trouble: Trouble | undefined;
    for (;;) {
      const isUp = this.#isOnNodes(pool) ? this.#isServed(pool) : await this.#isRolledOut(pool);
      if (isUp) return;
      trouble = this.#isOnNodes(pool) ? nobodyOffers(pool) : ((await this.#findTrouble(pool)) ?? trouble);
      if (trouble?.isFinal === true || signal.aborted) break;
      await this.#nextChange(signal);
      if (signal.aborted) break;
    }
    throw new QinlingError('UNAVAILABLE', trouble?.text ?? 'Its pods did not become ready in time.');
  }

  #isServed(pool: PoolSpec): boolean {
    return !this.#links.serving(this.poolName(pool)).next().done;
  }

  /** True when every free worker is of the present template, and one of them is connected. */
  async #isRolledOut(pool: PoolSpec): Promise<boolean> {
    if (this.#options.pool.replicas > 0 && !this.#isServed(pool)) return false;
    const { metadata, spec, status = {} } = await this.#readDeployment(pool.runtimeId);
    const wanted = spec?.replicas ?? 1;
    return (
      (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
      (status.updatedReplicas ?? 0) >= wanted &&
      (status.replicas ?? 0) === (status.updatedReplicas ?? 0) &&
      (status.availableReplicas ?? 0) >= Math.min(1, wanted)
    );
  }

  #readDeployment(runtimeId: string): Promise<DeploymentObject> {
    return this.#client.get(this.#path('apps/v1', 'deployments', deploymentName(runtimeId)));
  }

  async #findTrouble(pool: PoolSpec): Promise<Trouble | undefined> {
    let found: Trouble | undefined;
    for (const pod of this.#pods) {
      if (runtimeIdOf(pod) !== pool.runtimeId || runtimeImageOf(pod) !== pool.image || isEnding(pod)) continue;
      const trouble = troubleOf(pod);
      if (trouble?.isFinal === true) return trouble;
      found ??= trouble;
    }
    if (found !== undefined) return found;
    try {
      const { status } = await this.#readDeployment(pool.runtimeId);
      const refusal = whyRefused(status);
      return refusal === undefined ? undefined : { text: `The cluster makes no pods: ${refusal}`, isFinal: false };
    } catch (error) {
      if (isNotFound(error)) return { text: 'Its Deployment was removed.', isFinal: true };
      throw error;
    }
  }

  /** Resolves when something may have changed, or the signal aborts. */
  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        unwatchPods();
        unwatchLinks();
        signal.removeEventListener('abort', settle);
        resolve();
      };
      const timer = setTimeout(settle, LOOK_AGAIN_MS);
      const unwatchPods = this.#pods.listen(settle);
      const unwatchLinks = this.#links.watch(settle);
      signal.addEventListener('abort', settle);
    });
  }

  #lookForRuntimes(): void {
    for (const link of this.#links) {
      for (const name of namesOnNode(link)) {
        if (this.#foundRuntimes.has(name)) continue;
        this.#foundRuntimes.add(name);
        this.#options.onRuntimeFound(name);
      }
    }
  }
}

function namesOnNode(link: Link): Iterable<string> {
  return link.isReady && !link.isSingleUse ? link.pools : [];
}

function nobodyOffers({ image }: PoolSpec): Trouble {
  return { text: `No agent of the nodes offers the runtime ${image}.`, isFinal: false };
}

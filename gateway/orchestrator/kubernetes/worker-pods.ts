import { setTimeout as sleep } from 'node:timers/promises';
import type { Bind } from '../../../protocol/message.ts';
import { namedBy } from '../../invoke/target.ts';
import type { WorkerWatcher } from '../../link/link.ts';
import { isNotFound, type KubernetesClient } from './client.ts';
import { hasNewAgent, isEnding, isTaken } from './pod.ts';
import { resizePatch, takenPatch, type PoolOptions } from './pool-deployment.ts';
import type { PodWatch } from './pod-watch.ts';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
/** Nothing of a function runs any more in a pod that has had one: only its agent says good-bye. */
const END_SECONDS = '5';
const SWEEP_MS = 20_000;

export interface WorkerPodsOptions {
  readonly pool: PoolOptions;
  readonly hostMemoryBytes: number;
  /** True while the agent of the pod is connected, or may come back. */
  readonly hasLink: (podName: string) => boolean;
  readonly onWarning: (text: string) => void;
}

/**
 * What becomes of the pods of workers: one that is given a function leaves its pool and gets the function's limits; one
 * that has had it goes. All of it beside the road of calls, and again until it is done.
 */
export class WorkerPods implements WorkerWatcher {
  readonly #client: KubernetesClient;
  readonly #pods: PodWatch;
  readonly #options: WorkerPodsOptions;
  readonly #work = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();
  /** Taken pods that had no agent at the last sweep. */
  #suspects = new Set<string>();
  #sweeper: NodeJS.Timeout | undefined;
  #canResize = true;

  constructor(client: KubernetesClient, pods: PodWatch, options: WorkerPodsOptions) {
    this.#client = client;
    this.#pods = pods;
    this.#options = options;
  }

  start(): void {
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  onTaken(podName: string, target: Omit<Bind, 'kind' | 'worker'>): void {
    const { functionId } = namedBy(target.targetKey);
    this.#then(podName, () => this.#client.merge(this.#path(podName), takenPatch(functionId)));
    this.#then(podName, () => this.#resize(podName, target));
  }

  onUsedUp(podName: string): void {
    this.#then(podName, () => this.#client.delete(this.#path(podName), { gracePeriodSeconds: END_SECONDS }));
  }

  /** Ends what waits to be tried again: the sweep of the next process does it. May be called twice. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#closed.abort();
    await Promise.all(this.#work.values());
  }

  #path(podName: string): string {
    return `/api/v1/namespaces/${this.#options.pool.namespace}/pods/${podName}`;
  }

  /** Steps of one pod go one after the other. */
  #then(podName: string, step: () => Promise<unknown>): void {
    const before = this.#work.get(podName) ?? Promise.resolve();
    const work = before
      .then(() => this.#untilDone(podName, step))
      .finally(() => {
        if (this.#work.get(podName) === work) this.#work.delete(podName);
      });
    this.#work.set(podName, work);
  }

  /** Never rejects. */
  async #untilDone(podName: string, step: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#closed;
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
      try {
        await step();
        return;
      } catch (error) {
        if (isNotFound(error)) return; // the pod is gone
        this.#options.onWarning(`the pod ${podName} could not be changed: ${(error as Error).message}`);
        await sleep(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #resize(podName: string, target: Omit<Bind, 'kind' | 'worker'>): Promise<void> {
    if (!this.#canResize) return;
    const { pool, hostMemoryBytes } = this.#options;
    try {
      await this.#client.mergeByName(`${this.#path(podName)}/resize`, resizePatch(target, hostMemoryBytes, pool));
    } catch (error) {
      const pod = isNotFound(error) ? await this.#client.get(this.#path(podName)).catch(() => undefined) : undefined;
      if (pod === undefined) throw error;
      this.#canResize = false; // the pod is there: it is the server that does not know the word
      this.#options.onWarning('this Kubernetes cannot resize pods (1.33 can): workers keep the limits of their pool');
    }
  }

  /** Pods that were left behind: taken, and nobody is there who could use them. */
  #sweep(): void {
    const suspects = new Set<string>();
    for (const pod of this.#pods) {
      const { name } = pod.metadata;
      if (!isTaken(pod) || isEnding(pod) || this.#work.has(name)) continue;
      if (hasNewAgent(pod)) this.onUsedUp(name);
      else if (!this.#options.hasLink(name)) {
        if (this.#suspects.has(name)) this.onUsedUp(name);
        else suspects.add(name);
      }
    }
    this.#suspects = suspects;
  }
}

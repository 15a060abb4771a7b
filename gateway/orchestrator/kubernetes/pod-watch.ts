import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesClient, ObjectList } from './client.ts';
import { WORKER_SELECTOR } from './names.ts';
import type { PodObject } from './pod.ts';

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;

export interface PodWatchOptions {
  /** A pod is gone from the cluster. */
  readonly onGone: (pod: PodObject) => void;
  readonly onWarning: (text: string) => void;
}

/** The event stream says so where it cannot go on from where it was. */
interface WatchStatus {
  readonly code?: number;
  readonly message?: string;
}

/**
 * The workers' pods as the cluster sees them, in memory.
 *
 *   listing --all read--> watching --connection ended--> watching (from the last version seen)
 *      ▲                     └──that version is too old, or unknown what was missed──┐
 *      └────────────────────────────────────────────────────────────────────────────┘
 */
export class PodWatch {
  readonly #client: KubernetesClient;
  readonly #path: string;
  readonly #options: PodWatchOptions;
  readonly #pods = new Map<string, PodObject>();
  readonly #listeners = new Set<() => void>();
  readonly #closed = new AbortController();
  #version = '';
  #running: Promise<void> | undefined;

  constructor(client: KubernetesClient, namespace: string, options: PodWatchOptions) {
    this.#client = client;
    this.#path = `/api/v1/namespaces/${namespace}/pods`;
    this.#options = options;
  }

  /** Resolves when all pods are known; rejects where the cluster cannot be read. */
  async start(): Promise<void> {
    await this.#list();
    this.#running = this.#run();
  }

  [Symbol.iterator](): IterableIterator<PodObject> {
    return this.#pods.values();
  }

  find(name: string): PodObject | undefined {
    return this.#pods.get(name);
  }

  /** Calls back after every change; returns a function that ends it. */
  listen(onChange: () => void): () => void {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  }

  /** May be called twice. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        if (this.#version === '') await this.#list();
        await this.#watch(signal);
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onWarning(`the cluster's pods cannot be watched: ${(error as Error).message}`);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #list(): Promise<void> {
    const list = await this.#client.get<ObjectList<PodObject>>(this.#path, { labelSelector: WORKER_SELECTOR });
    const gone = new Map(this.#pods);
    this.#pods.clear();
    for (const pod of list.items) {
      this.#pods.set(pod.metadata.name, pod);
      if (gone.get(pod.metadata.name)?.metadata.uid === pod.metadata.uid) gone.delete(pod.metadata.name);
    }
    this.#version = list.metadata.resourceVersion;
    for (const pod of gone.values()) this.#options.onGone(pod);
    this.#tell();
  }

  #watch(signal: AbortSignal): Promise<void> {
    const query = { labelSelector: WORKER_SELECTOR, resourceVersion: this.#version, allowWatchBookmarks: 'true' };
    const onEvent = (type: string, object: PodObject & WatchStatus) => this.#onEvent(type, object);
    return this.#client.watch<PodObject & WatchStatus>(this.#path, query, onEvent, signal).catch((error: unknown) => {
      if ((error as { statusCode?: number }).statusCode === 410) this.#version = '';
      else throw error;
    });
  }

  #onEvent(type: string, pod: PodObject & WatchStatus): void {
    if (type === 'ERROR') {
      this.#version = ''; // too old: what was missed is read anew
      return;
    }
    const { name, resourceVersion } = pod.metadata;
    if (resourceVersion !== undefined) this.#version = resourceVersion;
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED') this.#pods.delete(name);
    else this.#pods.set(name, pod);
    if (type === 'DELETED') this.#options.onGone(pod);
    this.#tell();
  }

  #tell(): void {
    for (const onChange of this.#listeners) onChange();
  }
}

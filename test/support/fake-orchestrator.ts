import { EventEmitter, once } from 'node:events';
import type { Orchestrator, PoolSpec } from '../../gateway/orchestrator/orchestrator.ts';

/** What was asked of the fake, and how it ends: the test says. */
export interface PoolRequest {
  readonly action: 'create' | 'update' | 'delete';
  readonly pool: PoolSpec;
  readonly signal: AbortSignal | undefined;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
}

/** An orchestrator without workers. Every request waits until the test ends it, or its signal does. */
export class FakeOrchestrator implements Orchestrator {
  readonly capabilities = { supportsImageFunctions: false };
  readonly returnGraceMs = 0;
  /** While true requests succeed at once. */
  isWilling = false;
  /** By pool. */
  readonly lacking = new Map<string, number>();
  readonly #requests: PoolRequest[] = [];
  readonly #events = new EventEmitter();

  poolName({ image }: PoolSpec): string | undefined {
    return image === 'unknown' ? undefined : `pool-of-${image}`;
  }

  createPool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    return this.#ask('create', pool, signal);
  }

  updatePool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    return this.#ask('update', pool, signal);
  }

  deletePool(pool: PoolSpec): Promise<void> {
    return this.#ask('delete', pool, undefined);
  }

  async lackingWorkers(poolName: string): Promise<number> {
    return this.lacking.get(poolName) ?? 0;
  }

  async close(): Promise<void> {
    // nothing was opened
  }

  /** The next request that nobody took yet. */
  async next(): Promise<PoolRequest> {
    while (this.#requests.length === 0) await once(this.#events, 'request');
    return this.#requests.shift()!;
  }

  #ask(action: PoolRequest['action'], pool: PoolSpec, signal: AbortSignal | undefined): Promise<void> {
    if (this.isWilling) return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('the signal was aborted')));
      this.#requests.push({ action, pool, signal, succeed: resolve, fail: reject });
      this.#events.emit('request');
    });
  }
}

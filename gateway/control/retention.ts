import type { ExecutionStore } from '../store/store.ts';
import { KEY_LIFE_MS } from './idempotent-calls.ts';

const ROUND_MS = 60_000;
const BATCH = 500;
const BETWEEN_BATCHES_MS = 100;

export interface RetentionOptions {
  readonly maxAgeMs: number;
  /** Executions that are kept at most. */
  readonly maxCount: number;
  readonly onFault: (cause: unknown) => void;
  /** Time between two rounds. */
  readonly roundMs?: number;
}

/**
 * Removes old records of finished executions, by age and count, and idempotency keys whose time is over, in small batches
 * beside the calls.
 */
export class Retention {
  readonly #store: ExecutionStore;
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(store: ExecutionStore, options: RetentionOptions) {
    this.#store = store;
    this.#options = options;
  }

  start(): void {
    this.#schedule(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#removeBatch(), delayMs).unref();
  }

  async #removeBatch(): Promise<void> {
    const { maxAgeMs, maxCount, onFault, roundMs = ROUND_MS } = this.#options;
    try {
      const nowMs = Date.now();
      const bounds = { olderThan: nowMs - maxAgeMs, keep: maxCount, limit: BATCH };
      const removed = await this.#store.prune(bounds);
      const removedKeys = await this.#store.pruneKeys({ takenBefore: nowMs - KEY_LIFE_MS, limit: BATCH });
      this.#schedule(removed === BATCH || removedKeys === BATCH ? BETWEEN_BATCHES_MS : roundMs);
    } catch (cause) {
      onFault(cause);
      this.#schedule(roundMs);
    }
  }
}

import { QinlingError } from '../errors.ts';
import { ExecutionStatus, type ExecutionStore } from '../store/store.ts';
import type { EndWatch } from './end-watch.ts';

const MAX_WAITERS = 1_000;

/** Callers that wait until an execution is final. */
export class ExecutionWaiters {
  readonly #store: ExecutionStore;
  readonly #watch: EndWatch;
  readonly #wakes = new Set<() => void>();
  #isClosed = false;

  constructor(store: ExecutionStore, watch: EndWatch) {
    this.#store = store;
    this.#watch = watch;
  }

  get count(): number {
    return this.#wakes.size;
  }

  /**
   * Resolves when the execution is final or gone, the time is over, the signal aborts, or `close` was called. Throws
   * TOO_MANY_WAITERS.
   */
  async wait(executionId: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#isClosed || signal?.aborted === true) return;
    if (this.#wakes.size >= MAX_WAITERS) throw tooManyWaiters();
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        stop();
        signal?.removeEventListener('abort', wake);
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      const stop = this.#watch.watch(executionId, (end) => {
        if (end?.isFinal !== false) wake();
      });
      signal?.addEventListener('abort', wake);
      this.#wakes.add(wake);
      this.#isFinal(executionId).then((isFinal) => isFinal && wake(), wake);
    });
  }

  /** Wakes all; who comes later does not wait. */
  close(): void {
    this.#isClosed = true;
    for (const wake of [...this.#wakes]) wake();
  }

  /** It may have ended before anybody watched. */
  async #isFinal(executionId: string): Promise<boolean> {
    const record = await this.#store.get(executionId, null);
    return record === undefined || record.status !== ExecutionStatus.Running;
  }
}

export function tooManyWaiters(): QinlingError {
  return new QinlingError('TOO_MANY_WAITERS', 'Too many callers wait already; try again later.', {
    retryAfterSeconds: 1,
  });
}

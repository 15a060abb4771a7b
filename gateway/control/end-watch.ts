import { setImmediate as nextTurn } from 'node:timers/promises';
import { ExecutionStatus, type ExecutionLog, type ExecutionStore } from '../store/store.ts';

/** Another process on the same database tells nobody here: that an execution is final is seen after so long at most. */
const POLL_MS = 500;
/** Reads between two turns of the event loop. */
const POLL_BATCH = 50;

/** The end of an attempt. */
export interface AttemptEnd {
  readonly status: ExecutionStatus;
  readonly log: ExecutionLog | null;
  /** False: another attempt follows. */
  readonly isFinal: boolean;
}

/** Told of each attempt that ends here; undefined: the execution is final or gone, as the store says. */
export type OnEnd = (end: AttemptEnd | undefined) => void;

/** Who waits for which execution's end. Costs nothing while nobody does. */
export class EndWatch {
  readonly #store: ExecutionStore;
  readonly #onFault: (cause: unknown) => void;
  readonly #watchers = new Map<string, Set<OnEnd>>();
  #timer: NodeJS.Timeout | undefined;
  #isPolling = false;

  constructor(store: ExecutionStore, onFault: (cause: unknown) => void) {
    this.#store = store;
    this.#onFault = onFault;
  }

  /** Hot. False: there is nobody to tell. */
  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Returns a function that ends it. What was final before is told too, soon. */
  watch(executionId: string, onEnd: OnEnd): () => void {
    const watchers = this.#watchers.get(executionId) ?? new Set();
    watchers.add(onEnd);
    this.#watchers.set(executionId, watchers);
    this.#timer ??= setInterval(() => void this.#poll(), POLL_MS).unref();
    return () => {
      watchers.delete(onEnd);
      if (watchers.size === 0 && this.#watchers.get(executionId) === watchers) this.#watchers.delete(executionId);
      if (this.#watchers.size === 0) this.close();
    };
  }

  tell(executionId: string, end: AttemptEnd | undefined): void {
    for (const onEnd of [...(this.#watchers.get(executionId) ?? [])]) onEnd(end);
  }

  /** Asks the store no more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #poll(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      const ids = [...this.#watchers.keys()];
      for (const [index, id] of ids.entries()) {
        const record = await this.#store.get(id, null);
        if (record === undefined || record.status !== ExecutionStatus.Running) this.tell(id, undefined);
        if (index % POLL_BATCH === POLL_BATCH - 1) await nextTurn();
      }
    } catch (cause) {
      this.#onFault(cause);
    } finally {
      this.#isPolling = false;
    }
  }
}

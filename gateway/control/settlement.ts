import type { ExecutionOutcome, ExecutionRecord, ExecutionStore, TimeMs } from '../store/store.ts';
import { attemptNumber, nextDueAt } from './attempts.ts';
import type { EndWatch } from './end-watch.ts';

/** Ends attempts: the execution is final with it, or its next attempt is due some time later. */
export class Settlement {
  readonly #store: ExecutionStore;
  readonly #watch: EndWatch;
  readonly #onPostponed: (dueAt: TimeMs) => void;

  constructor(store: ExecutionStore, watch: EndWatch, onPostponed: (dueAt: TimeMs) => void) {
    this.#store = store;
    this.#watch = watch;
    this.#onPostponed = onPostponed;
  }

  /** Resolves when that is in the records. An attempt that is not the record's any more changes nothing. */
  async end(record: Pick<ExecutionRecord, 'id' | 'attempts'>, outcome: ExecutionOutcome): Promise<void> {
    const { id, attempts } = record;
    const dueAt = nextDueAt(attempts, outcome.status, Date.now());
    const attempt = attemptNumber(record);
    const isEnded =
      dueAt === undefined
        ? await this.#store.settle(id, outcome, attempt)
        : await this.#store.postpone(id, attempt, dueAt, outcome.log);
    if (!isEnded) return;
    const { status, log } = outcome;
    if (this.#watch.isWatched) this.#watch.tell(id, { status, log, isFinal: dueAt === undefined });
    if (dueAt !== undefined) this.#onPostponed(dueAt);
  }
}

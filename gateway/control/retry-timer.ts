import type { ExecutionRecord, ExecutionStore, TimeMs } from '../store/store.ts';

/** Attempts of one look at the database. */
const BATCH = 1_000;
/** The database is asked again after so long at most, should a time not have been told. */
const LOOK_MS = 10_000;
const FAULT_MS = 1_000;

/**
 * Further attempts of executions until they are due. The database holds them, so they outlive this process; memory holds
 * the time of the next.
 */
export class RetryTimer {
  readonly #store: Pick<ExecutionStore, 'takeDue' | 'nextDueAt'>;
  readonly #onDue: (record: ExecutionRecord) => void;
  readonly #onFault: (cause: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt: TimeMs = Number.POSITIVE_INFINITY;
  #isLooking = false;
  #isClosed = true;

  /** `onDue`: the attempt waits for its start from now on, as the database says too. */
  constructor(
    store: Pick<ExecutionStore, 'takeDue' | 'nextDueAt'>,
    onDue: (record: ExecutionRecord) => void,
    onFault: (cause: unknown) => void,
  ) {
    this.#store = store;
    this.#onDue = onDue;
    this.#onFault = onFault;
  }

  start(): void {
    this.#isClosed = false;
    this.#wakeAt(Date.now());
  }

  /** An attempt will be due then; that is in the records. */
  expect(dueAt: TimeMs): void {
    if (dueAt < this.#wakesAt) this.#wakeAt(dueAt);
  }

  /** Looks at no more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wakeAt(at: TimeMs): void {
    if (this.#isClosed) return;
    this.#wakesAt = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, at - Date.now())).unref();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return this.#wakeAt(Date.now() + 1);
    this.#isLooking = true;
    this.#wakesAt = Number.POSITIVE_INFINITY;
    try {
      const now = Date.now();
      const due = await this.#store.takeDue(now, BATCH);
      for (const record of due) this.#onDue(record);
      const next = due.length > 0 ? now : ((await this.#store.nextDueAt(now)) ?? Number.POSITIVE_INFINITY);
      this.expect(Math.min(next, now + LOOK_MS));
    } catch (cause) {
      this.#onFault(cause);
      this.expect(Date.now() + FAULT_MS);
    } finally {
      this.#isLooking = false;
    }
  }
}

import type { ExecutionRecord, ExecutionStore, TimeMs } from '../store/store.ts';

/** Attempts that this process looks after at a time; the rest waits in the database. */
const WINDOW = 1_000;
/** The database is asked again after so long at most, should a time not have been told. */
const LOOK_MS = 10_000;
const FAULT_MS = 1_000;

/**
 * Further attempts of executions between their due time and their start. The database holds all of them, so they outlive
 * this process; memory holds those that are due, up to a bound, and the time of the next.
 */
export class RetryQueue {
  readonly #store: ExecutionStore;
  readonly #run: (record: ExecutionRecord) => void;
  readonly #onFault: (cause: unknown) => void;
  /** Executions that were given to `run` and have not ended. */
  readonly #open = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt: TimeMs = Number.POSITIVE_INFINITY;
  #isLooking = false;
  #isClosed = true;

  /** `run` starts one attempt, and `ended` is called once for each when it has come to its end. */
  constructor(store: ExecutionStore, run: (record: ExecutionRecord) => void, onFault: (cause: unknown) => void) {
    this.#store = store;
    this.#run = run;
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

  ended(executionId: string): void {
    const wasFull = this.#open.size >= WINDOW;
    this.#open.delete(executionId);
    if (wasFull) this.#wakeAt(Date.now());
  }

  /** Takes no more; what is in the database stays there. */
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
      for (const record of await this.#store.listDue(now, WINDOW)) this.#take(record);
      const next = (await this.#store.nextDueAt(now)) ?? Number.POSITIVE_INFINITY;
      this.expect(Math.min(next, now + LOOK_MS));
    } catch (cause) {
      this.#onFault(cause);
      this.expect(Date.now() + FAULT_MS);
    } finally {
      this.#isLooking = false;
    }
  }

  #take(record: ExecutionRecord): void {
    if (this.#isClosed || this.#open.has(record.id) || this.#open.size >= WINDOW) return;
    this.#open.add(record.id);
    this.#run(record);
  }
}

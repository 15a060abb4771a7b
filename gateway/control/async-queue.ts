import type { ExecutionRecord, ExecutionStore } from '../store/store.ts';

/** Accepted asynchronous executions that this process looks after at a time; the rest waits in the database. */
const WINDOW = 5_000;
const REFILL_BELOW = WINDOW / 2;

/**
 * Asynchronous executions between their 201 and their start: a window in memory over a queue in the database.
 *
 *   Following: every accepted execution is run as it comes --window full--> Behind
 *   Behind: accepted ones stay in the database; as runs end, the next are read --none left--> Following
 *
 * A start begins Behind, which is how executions that an earlier process accepted are taken up.
 */
export class AsyncQueue {
  readonly #store: ExecutionStore;
  readonly #run: (record: ExecutionRecord) => void;
  readonly #onFault: (cause: unknown) => void;
  #isBehind = true;
  #isReading = false;
  /** Something was accepted since the last read began: perhaps after the database looked. */
  #hasMissed = false;
  #isClosed = false;
  #openRuns = 0;
  /** Ids up to here were run or read; ids rise in the order of acceptance. */
  #lastId = '';

  /** `run` starts one execution, and `ended` is called once for each when it has come to its end. */
  constructor(store: ExecutionStore, run: (record: ExecutionRecord) => void, onFault: (cause: unknown) => void) {
    this.#store = store;
    this.#run = run;
    this.#onFault = onFault;
  }

  get openRuns(): number {
    return this.#openRuns;
  }

  start(): void {
    this.#read();
  }

  /** An execution was accepted and is durable. */
  offer(record: ExecutionRecord): void {
    if (this.#isClosed || record.id <= this.#lastId) return;
    if (this.#isBehind) {
      this.#hasMissed = true;
      return;
    }
    if (this.#openRuns >= WINDOW) {
      this.#isBehind = true;
      return;
    }
    this.#take(record);
  }

  ended(): void {
    this.#openRuns--;
    if (this.#isBehind && this.#openRuns < REFILL_BELOW) this.#read();
  }

  /** Takes no more; what is in the database stays there. */
  close(): void {
    this.#isClosed = true;
  }

  #take(record: ExecutionRecord): void {
    this.#lastId = record.id;
    this.#openRuns++;
    this.#run(record);
  }

  #read(): void {
    if (this.#isReading || this.#isClosed) return;
    this.#isReading = true;
    this.#hasMissed = false;
    const limit = WINDOW - this.#openRuns;
    this.#store.listUnstarted(this.#lastId === '' ? undefined : this.#lastId, limit).then(
      (records) => {
        this.#isReading = false;
        if (this.#isClosed) return;
        this.#isBehind = records.length === limit || this.#hasMissed;
        for (const record of records) this.#take(record);
        if (this.#isBehind && this.#openRuns < REFILL_BELOW) this.#read();
      },
      (cause: unknown) => {
        this.#isReading = false;
        this.#onFault(cause);
        setTimeout(() => this.#read(), 1_000).unref();
      },
    );
  }
}

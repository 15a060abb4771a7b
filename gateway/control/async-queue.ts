import type { ExecutionRecord, ExecutionStore } from '../store/store.ts';

/** Accepted asynchronous executions that this process looks after at a time; the rest waits in the database. */
const WINDOW = 5_000;
/** The same in characters of their inputs. */
const WINDOW_LENGTH = 64 * 1024 * 1024;

/**
 * Asynchronous executions between their 201 and their start: a window in memory over a queue in the database.
 *
 *   Following: every accepted execution is run as it comes --window full--> Behind
 *   Behind: accepted ones stay in the database; as runs end, the next are read --none left--> Following
 *
 * A start begins Behind, which is how executions that an earlier process accepted are taken up; so does a rewind, where
 * executions came to the database that are older than those at hand.
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
  /** Executions whose end was not told yet, with the lengths of their inputs. */
  readonly #open = new Map<string, number>();
  #openLength = 0;
  /** Ids up to here were run or read; ids rise in the order of acceptance. */
  #lastId = '';
  /** A rewind came while the database was read. */
  #isRewound = false;

  /** `run` starts one execution, and `ended` is called for each when it has come to its end. */
  constructor(store: ExecutionStore, run: (record: ExecutionRecord) => void, onFault: (cause: unknown) => void) {
    this.#store = store;
    this.#run = run;
    this.#onFault = onFault;
  }

  get openRuns(): number {
    return this.#open.size;
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
    if (this.#isFull(1)) {
      this.#isBehind = true;
      return;
    }
    this.#take(record);
  }

  /** Reads again from the oldest: executions of another gateway have become this one's. */
  rewind(): void {
    this.#lastId = '';
    this.#isBehind = true;
    this.#isRewound = this.#isReading;
    if (!this.#isFull(0.5)) this.#read();
  }

  ended(id: string): void {
    this.#openLength -= this.#open.get(id) ?? 0;
    this.#open.delete(id);
    if (this.#isBehind && !this.#isFull(0.5)) this.#read();
  }

  /** Takes no more; what is in the database stays there. */
  close(): void {
    this.#isClosed = true;
  }

  #take(record: ExecutionRecord): void {
    this.#lastId = record.id;
    if (this.#open.has(record.id)) return; // read again after a rewind
    const length = record.input?.length ?? 0;
    this.#open.set(record.id, length);
    this.#openLength += length;
    this.#run(record);
  }

  /** True if the window is filled to that share. */
  #isFull(share: number): boolean {
    return this.#open.size >= share * WINDOW || this.#openLength >= share * WINDOW_LENGTH;
  }

  #read(): void {
    if (this.#isReading || this.#isClosed) return;
    this.#isReading = true;
    this.#hasMissed = false;
    const limit = WINDOW - this.#open.size;
    this.#store.listUnstarted(this.#lastId === '' ? undefined : this.#lastId, limit).then(
      (records) => {
        this.#isReading = false;
        if (this.#isClosed) return;
        this.#isBehind = records.length > 0 || this.#hasMissed || this.#isRewound;
        for (const record of records) this.#take(record);
        if (this.#isRewound) this.#lastId = '';
        this.#isRewound = false;
        if (this.#isBehind && !this.#isFull(0.5)) this.#read();
      },
      (cause: unknown) => {
        this.#isReading = false;
        this.#onFault(cause);
        setTimeout(() => this.#read(), 1_000).unref();
      },
    );
  }
}

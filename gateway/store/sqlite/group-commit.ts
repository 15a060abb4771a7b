import { isBusy, type Database, type Statement } from './database.ts';

/** `run` executes statements later in this turn; then one of the others is called, with what it returned or threw. */
export interface Write {
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (cause: unknown) => void;
}

/** Work that belongs to every group: `apply` inside its transaction, after its writes; then one of the other two. */
export interface GroupPart {
  apply(): void;
  /** It is committed. */
  keep?(): void;
  /** It failed, perhaps before `apply`. */
  discard(): void;
}

/** How long a group waits for another process that writes, before it fails. */
const LONGEST_WAIT_MS = 30_000;
/** Groups take a millisecond or so: the next try comes soon, and not in step with that of the others. */
const MAX_PAUSE_MS = 5;
const pauseMs = () => 1 + Math.random() * (MAX_PAUSE_MS - 1);

/**
 * Puts all writes of one event-loop turn into one transaction, so that a write costs microseconds and is durable when
 * its promise resolves. There is no timer: while one group commits, the next gathers. Where another process is writing,
 * the group gathers on and tries again; nothing waits for it but its own callers and those that must see it.
 */
export class GroupCommit {
  readonly #database: Database;
  readonly #longestWaitMs: number;
  readonly #parts: GroupPart[] = [];
  readonly #begin: Statement<[]>;
  readonly #commitAll: Statement<[]>;
  #writes: Write[] = [];
  /** Reads that must see the writes. */
  #reads: (() => void)[] = [];
  #isScheduled = false;
  /** When the group first found the database busy; 0: it did not. */
  #busySinceMs = 0;

  constructor(database: Database, longestWaitMs = LONGEST_WAIT_MS) {
    this.#database = database;
    this.#longestWaitMs = longestWaitMs;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commitAll = database.prepare('COMMIT');
    database.pragma('busy_timeout = 0'); // SQLite would stop the whole process while it waits
  }

  addPart(part: GroupPart): void {
    this.#parts.push(part);
  }

  /** `run` executes statements later in this turn; the promise has what it returned, once that is committed. */
  write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => this.add({ run, resolve, reject }));
  }

  /** Hot. What is called at its end must not throw. */
  add(write: Write): void {
    this.#writes.push(write);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#busySinceMs === 0 && this.#flush());
  }

  /** Reads see every write called before: commits what is pending, then runs `read`. */
  read<T>(read: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const triedAtMs = performance.now();
      const run = () => {
        try {
          resolve(read());
        } catch (cause) {
          const isOver = performance.now() - triedAtMs > this.#longestWaitMs;
          if (isOver || !isBusy(cause)) return reject(cause as Error);
          setTimeout(run, pauseMs()); // another process is putting the files in order, after a crash
        }
      };
      if (this.#busySinceMs === 0) this.#flush();
      if (this.#writes.length === 0) run();
      else this.#reads.push(run);
    });
  }

  /** Resolves when nothing is pending. */
  async settled(): Promise<void> {
    await this.read(() => undefined);
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#writes.length === 0) return;
    try {
      this.#begin.run();
    } catch (cause) {
      if (this.#waitsLonger(cause)) return;
      this.#end((writes) => this.#fail(writes, cause));
      return;
    }
    this.#end((writes) => this.#commit(writes));
  }

  /** True if another process is writing and the group is tried again. */
  #waitsLonger(cause: unknown): boolean {
    if (!isBusy(cause)) return false;
    const nowMs = performance.now();
    if (this.#busySinceMs === 0) this.#busySinceMs = nowMs;
    else if (nowMs - this.#busySinceMs > this.#longestWaitMs) return false;
    this.#isScheduled = true;
    setTimeout(() => this.#flush(), pauseMs());
    return true;
  }

  /** Ends the group, and then does the reads that waited for it. */
  #end(how: (writes: readonly Write[]) => void): void {
    const [writes, reads] = [this.#writes, this.#reads];
    this.#writes = [];
    this.#reads = [];
    this.#busySinceMs = 0;
    how(writes);
    for (const read of reads) read();
  }

  #commit(writes: readonly Write[]): void {
    const results: unknown[] = [];
    try {
      for (const write of writes) results.push(write.run());
      for (const part of this.#parts) part.apply();
      this.#commitAll.run();
    } catch (cause) {
      this.#fail(writes, cause);
      return;
    }
    for (const part of this.#parts) part.keep?.();
    for (let index = 0; index < writes.length; index++) writes[index]!.resolve(results[index] as never);
  }

  #fail(writes: readonly Write[], cause: unknown): void {
    let told = cause;
    try {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
    } catch (rollbackFault) {
      told = new AggregateError([cause, rollbackFault], 'a failed group could not be rolled back');
    }
    for (const part of this.#parts) part.discard();
    for (const write of writes) write.reject(told);
  }
}

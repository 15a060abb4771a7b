import type { Database } from './database.ts';

interface Write {
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

/**
 * Puts all writes of one event-loop turn into one transaction, so that a write costs microseconds and is durable when
 * its promise resolves. There is no timer: while one group commits, the next gathers.
 */
export class GroupCommit {
  readonly #database: Database;
  readonly #parts: GroupPart[] = [];
  #writes: Write[] = [];
  #isScheduled = false;

  constructor(database: Database) {
    this.#database = database;
  }

  addPart(part: GroupPart): void {
    this.#parts.push(part);
  }

  /** Hot. `run` executes statements later in this turn; the promise has what it returned, once that is committed. */
  write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#writes.push({ run, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    });
  }

  /** Reads see every write called before: commits what is pending, then runs `read`. */
  read<T>(read: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.flush();
      resolve(read());
    });
  }

  flush(): void {
    this.#isScheduled = false;
    const writes = this.#writes;
    if (writes.length === 0) return;
    this.#writes = [];
    const results: unknown[] = [];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const write of writes) results.push(write.run());
      for (const part of this.#parts) part.apply();
      this.#database.exec('COMMIT');
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

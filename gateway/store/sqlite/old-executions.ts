import { firstKeyAt } from '../../execution-id.ts';
import type { TimeMs } from '../store.ts';
import type { Database, Statement } from './database.ts';

export interface RowKey {
  readonly key: number;
  readonly tail: string;
}

/** Which executions are too old or too many. Counts the rows once, and then along with those that write. */
export class OldExecutions {
  readonly #dataVersion: () => number;
  readonly #finalBefore: Statement<[number, number], RowKey>;
  readonly #finalAmongOldest: Statement<[number, number], RowKey>;
  readonly #countAll: Statement<[], { count: number }>;
  /** Rows in the table; undefined until it is asked for, and after a failed group. */
  #total: number | undefined;
  /** The state of the database in which #total was counted: it changes when another process writes. */
  #totalVersion = 0;

  constructor(database: Database) {
    this.#dataVersion = () => database.pragma('data_version', { simple: true }) as number;
    this.#finalBefore = database.prepare(
      'SELECT key, tail FROM executions WHERE key < ? AND status != 0 ORDER BY key LIMIT ?',
    );
    this.#finalAmongOldest = database.prepare(
      `SELECT key, tail FROM (SELECT key, tail, status FROM executions ORDER BY key LIMIT ?)
        WHERE status != 0 ORDER BY key LIMIT ?`,
    );
    this.#countAll = database.prepare('SELECT count(*) AS count FROM executions');
  }

  /** Hot. A row was added or removed in the group that is being committed. */
  counted(change: 1 | -1): void {
    if (this.#total !== undefined) this.#total += change;
  }

  /** A group failed: what it counted is not there. */
  forget(): void {
    this.#total = undefined;
  }

  /** Final ones that were made before, or that are more than the newest `keep`; the oldest first. */
  find(olderThan: TimeMs, keep: number, limit: number): RowKey[] {
    const version = this.#dataVersion();
    if (version !== this.#totalVersion) this.#total = undefined;
    this.#totalVersion = version;
    this.#total ??= this.#countAll.get()!.count;
    const tooOld = this.#finalBefore.all(firstKeyAt(olderThan), limit);
    const surplus = this.#total - keep;
    const tooMany = surplus > 0 ? this.#finalAmongOldest.all(surplus, limit) : [];
    return tooOld.length > tooMany.length ? tooOld : tooMany; // each starts with the oldest: one has the other
  }
}

import type { Attempts } from '../attempts.ts';
import type { TimeMs } from '../store.ts';
import type { Database, Statement } from './database.ts';
import { SELECT, type ExecutionRow } from './execution-row.ts';

/** The statements of executions with more than one attempt; all are run inside a transaction of the caller. */
export class SqliteAttempts {
  readonly #write: Statement<[number, number, string | null, number | null, number]>;
  readonly #postpone: Statement<[number, number, number, string, number]>;
  readonly #redrive: Statement<[number, number, number, number, string]>;
  readonly #due: Statement<[number, number, number], ExecutionRow>;
  readonly #take: Statement<[number]>;
  readonly #nextDueAt: Statement<[number, number], { at: number | null }>;

  constructor(database: Database) {
    this.#write = database.prepare(
      'UPDATE executions SET attempt = ?, first_attempt = ?, retry = ?, next_attempt_at = ? WHERE key = ?',
    );
    this.#postpone = database.prepare(
      `UPDATE executions SET attempt = attempt + 1, first_attempt = coalesce(first_attempt, 1), is_started = 0,
        next_attempt_at = ?, updated_at = ? WHERE key = ? AND tail = ? AND status = 0 AND attempt = ?`,
    );
    this.#redrive = database.prepare(
      `UPDATE executions SET attempt = attempt + 1, first_attempt = attempt + 1, is_started = 0, next_attempt_at = ?,
        gateway = ?, status = 0, output = NULL, duration = NULL, updated_at = ?
        WHERE key = ? AND tail = ? AND status != 0 AND is_sync = 0`,
    );
    this.#due = database.prepare(
      `${SELECT} WHERE next_attempt_at <= ? AND next_attempt_at IS NOT NULL AND gateway = ?
        ORDER BY next_attempt_at, key LIMIT ?`,
    );
    this.#take = database.prepare('UPDATE executions SET next_attempt_at = NULL WHERE key = ?');
    this.#nextDueAt = database.prepare(
      `SELECT min(next_attempt_at) AS at FROM executions
        WHERE next_attempt_at > ? AND next_attempt_at IS NOT NULL AND gateway = ?`,
    );
  }

  /** Of a row that was just added. */
  write(key: number, { number, first, policy, dueAt }: Attempts): void {
    this.#write.run(number, first, policy === null ? null : JSON.stringify(policy), dueAt, key);
  }

  postpone(key: number, tail: string, attempt: number, dueAt: TimeMs): boolean {
    return this.#postpone.run(dueAt, Date.now(), key, tail, attempt).changes > 0;
  }

  redrive(key: number, tail: string, dueAt: TimeMs, gateway: number): boolean {
    return this.#redrive.run(dueAt, gateway, Date.now(), key, tail).changes > 0;
  }

  /** Those that the gateway looks after. */
  due(gateway: number, now: TimeMs, limit: number): IterableIterator<ExecutionRow> {
    return this.#due.iterate(now, gateway, limit);
  }

  /** The row, which waits for no time any more. */
  taken(row: ExecutionRow): ExecutionRow {
    this.#take.run(row.key);
    return { ...row, next_attempt_at: null };
  }

  nextDueAt(gateway: number, after: TimeMs): TimeMs | undefined {
    return this.#nextDueAt.get(after, gateway)?.at ?? undefined;
  }
}

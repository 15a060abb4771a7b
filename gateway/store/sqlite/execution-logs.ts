import type { ExecutionLog } from '../store.ts';
import type { Database, Statement } from './database.ts';

/** The statements of logs; all that write are run inside a transaction of the caller. Keys are those of executions. */
export class SqliteExecutionLogs {
  readonly #insert: Statement<[number, Buffer, number, number]>;
  readonly #get: Statement<[number], { text: Buffer; is_cut: number; is_finished: number }>;
  readonly #delete: Statement<[number]>;

  constructor(database: Database) {
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO execution_logs (key, text, is_cut, is_finished) VALUES (?, ?, ?, ?)',
    );
    this.#get = database.prepare('SELECT text, is_cut, is_finished FROM execution_logs WHERE key = ?');
    this.#delete = database.prepare('DELETE FROM execution_logs WHERE key = ?');
  }

  get(key: number): ExecutionLog | null {
    const row = this.#get.get(key);
    return row === undefined ? null : { text: row.text, isCut: row.is_cut === 1, isFinished: row.is_finished === 1 };
  }

  write(key: number, { text, isCut, isFinished }: ExecutionLog): void {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    this.#insert.run(key, bytes, isCut ? 1 : 0, isFinished ? 1 : 0);
  }

  /** Of an attempt that ended: what an earlier one printed goes. */
  replace(key: number, log: ExecutionLog | null, attempt: number): void {
    if (log !== null) this.write(key, log);
    else if (attempt > 1) this.#delete.run(key);
  }

  delete(key: number): void {
    this.#delete.run(key);
  }
}

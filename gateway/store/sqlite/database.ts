import Sqlite from 'better-sqlite3';

/** The door to better-sqlite3. */
export type Database = Sqlite.Database;
export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = Sqlite.Statement<Parameters, Row>;
export type Value = string | number | null | Buffer;

export interface DatabaseOptions {
  readonly path: string;
  /** `normal` survives a killed process, `full` also a power loss (one fsync a commit). */
  readonly synchronous: 'normal' | 'full';
}

const BUSY_TIMEOUT_MS = 5_000;
/** Pages kept in this process: a long list fills them all, and the system's own cache is nearly as near. */
const CACHE_KIB = 16 * 1024;
/** What the write-ahead log is cut back to, once it was copied, after a burst of writes. */
const MAX_IDLE_LOG_BYTES = 64 * 1024 * 1024;

/** Opens a database in WAL mode. Checkpoints are made by `checkpoint-worker.ts`, off this thread: they take 5-28 ms. */
export function openDatabase({ path, synchronous }: DatabaseOptions): Database {
  const database = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.pragma('journal_mode = WAL');
    database.pragma(`synchronous = ${synchronous.toUpperCase()}`);
    database.pragma('wal_autocheckpoint = 0');
    database.pragma(`journal_size_limit = ${MAX_IDLE_LOG_BYTES}`);
    database.pragma(`cache_size = -${CACHE_KIB}`);
  } catch (error) {
    database.close(); // no database, or one that is damaged
    throw error;
  }
  return database;
}

/** True for errors that say: the database is used by another connection just now. */
export function isBusy(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
}

/** An exclusive transaction that is held open: a lock that the operating system ends with the process. */
export function holdExclusive(path: string): { release(): void } {
  const database = new Sqlite(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw error;
  }
  return { release: () => database.close() };
}

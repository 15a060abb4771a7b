import { Worker } from 'node:worker_threads';
import type { Store } from '../store.ts';
import { SqliteAliases } from './aliases.ts';
import { openDatabase, type Database, type DatabaseOptions } from './database.ts';
import { Definitions } from './definitions.ts';
import { SqliteExecutions } from './executions.ts';
import { SqliteFunctions } from './functions.ts';
import { GroupCommit } from './group-commit.ts';
import { migrate } from './migrate.ts';
import { SqliteRuntimes } from './runtimes.ts';
import { SqliteVersions } from './versions.ts';

export interface SqliteStoreOptions extends DatabaseOptions {
  /** The checkpoint thread failed; the store works on, its log file grows. */
  readonly onFault?: (cause: unknown) => void;
}

/** Opens (and brings up to date) a database file. Rejects where it cannot be used. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, synchronous } = options;
  const database = openDatabase({ path, synchronous });
  try {
    migrate(database);
  } catch (cause) {
    database.close();
    throw cause;
  }
  const worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), { workerData: { path, synchronous } });
  worker.unref();
  worker.on('error', (cause) => options.onFault?.(cause));
  return new SqliteStore(database, worker);
}

class SqliteStore implements Store {
  readonly runtimes: SqliteRuntimes;
  readonly functions: SqliteFunctions;
  readonly versions: SqliteVersions;
  readonly aliases: SqliteAliases;
  readonly executions: SqliteExecutions;
  readonly #database: Database;
  readonly #commit: GroupCommit;
  readonly #definitions: Definitions;
  readonly #checkpoints: Worker;
  readonly #checkpointsEnded: Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(database: Database, checkpoints: Worker) {
    this.#database = database;
    this.#checkpoints = checkpoints;
    this.#checkpointsEnded = new Promise((resolve) => checkpoints.once('exit', () => resolve()));
    this.#commit = new GroupCommit(database);
    this.runtimes = new SqliteRuntimes(database, this.#commit);
    this.#definitions = new Definitions(database, this.#commit);
    this.functions = new SqliteFunctions(database, this.#commit, this.#definitions);
    this.versions = new SqliteVersions(database, this.#commit, this.functions, this.#definitions);
    this.aliases = new SqliteAliases(database, this.#commit, this.#definitions);
    this.executions = new SqliteExecutions(database, this.#commit, this.functions, this.versions);
  }

  foreignChanges(): Promise<number> {
    return this.#definitions.foreignChanges();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#commit.flush();
    this.#checkpoints.ref();
    this.#checkpoints.postMessage('close');
    await this.#checkpointsEnded;
    this.#database.close(); // the last connection: folds the log into the database
  }
}

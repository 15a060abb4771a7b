import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Store } from '../store.ts';
import { SqliteAliases } from './aliases.ts';
import { isBusy, openDatabase, type Database, type DatabaseOptions } from './database.ts';
import { Definitions } from './definitions.ts';
import { SqliteExecutions } from './executions.ts';
import { SqliteFunctions } from './functions.ts';
import { SqliteGateways } from './gateways.ts';
import { GroupCommit } from './group-commit.ts';
import { SqliteJobs } from './jobs.ts';
import { migrate } from './migrate.ts';
import { SqliteRuntimes } from './runtimes.ts';
import { SqliteVersions } from './versions.ts';
import { SqliteWebhooks } from './webhooks.ts';

const ONLY_GATEWAY = 'only';
/** Another process may be building an index over millions of records. */
const LONGEST_OPEN_MS = 120_000;
const BETWEEN_TRIES_MS = 20;

export interface SqliteStoreOptions extends DatabaseOptions {
  /** Whose store it is: the same after a restart, another for each gateway on this database. None: it is the only one. */
  readonly gatewayId?: string;
  /** The checkpoint thread failed; the store works on, its log file grows. */
  readonly onFault?: (cause: unknown) => void;
}

/** Opens (and brings up to date) a database file. Rejects where it cannot be used. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, synchronous } = options;
  const database = await openMigrated({ path, synchronous });
  const worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), { workerData: { path, synchronous } });
  worker.unref();
  worker.on('error', (cause) => options.onFault?.(cause));
  return new SqliteStore(database, worker, options.gatewayId ?? ONLY_GATEWAY);
}

/** Several processes may do this at the same time: each waits until no other is at it. */
async function openMigrated(options: DatabaseOptions): Promise<Database> {
  const giveUpAtMs = performance.now() + LONGEST_OPEN_MS;
  for (;;) {
    let database: Database | undefined;
    try {
      database = openDatabase(options);
      migrate(database);
      return database;
    } catch (cause) {
      database?.close();
      if (!isBusy(cause) || performance.now() > giveUpAtMs) throw cause;
      await sleep(BETWEEN_TRIES_MS);
    }
  }
}

class SqliteStore implements Store {
  readonly runtimes: SqliteRuntimes;
  readonly functions: SqliteFunctions;
  readonly versions: SqliteVersions;
  readonly aliases: SqliteAliases;
  readonly executions: SqliteExecutions;
  readonly jobs: SqliteJobs;
  readonly webhooks: SqliteWebhooks;
  readonly gateways: SqliteGateways;
  readonly #database: Database;
  readonly #commit: GroupCommit;
  readonly #definitions: Definitions;
  readonly #checkpoints: Worker;
  readonly #checkpointsEnded: Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(database: Database, checkpoints: Worker, gatewayId: string) {
    this.#database = database;
    this.#checkpoints = checkpoints;
    this.#checkpointsEnded = new Promise((resolve) => checkpoints.once('exit', () => resolve()));
    this.#commit = new GroupCommit(database);
    this.#definitions = new Definitions(database, this.#commit);
    this.runtimes = new SqliteRuntimes(database, this.#commit, this.#definitions);
    this.functions = new SqliteFunctions(database, this.#commit, this.#definitions);
    this.versions = new SqliteVersions(database, this.#commit, this.functions, this.#definitions);
    this.aliases = new SqliteAliases(database, this.#commit, this.#definitions);
    this.executions = new SqliteExecutions(database, this.#commit, this.functions, this.versions, gatewayId);
    this.jobs = new SqliteJobs(database, this.#commit, this.executions);
    this.webhooks = new SqliteWebhooks(database, this.#commit);
    this.gateways = new SqliteGateways(database, this.#commit, gatewayId);
  }

  foreignChanges(): Promise<number> {
    return this.#definitions.foreignChanges();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#commit.settled();
    this.#checkpoints.ref();
    this.#checkpoints.postMessage('close');
    await this.#checkpointsEnded;
    this.#database.close(); // the last connection: folds the log into the database
  }
}

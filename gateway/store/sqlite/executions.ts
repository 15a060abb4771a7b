import { executionId, executionKey, executionTail, firstKeyAt } from '../../execution-id.ts';
import type { Attempts, RetryPolicy } from '../attempts.ts';
import type { IdempotencyKey, TakenKey } from '../idempotency-key.ts';
import {
  ExecutionStatus,
  type Chunks,
  type ExecutionLog,
  type ExecutionOutcome,
  type ExecutionRecord,
  type ExecutionStore,
  type Filter,
  type Page,
  type Scope,
  type TimeMs,
} from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import { SqliteAttempts } from './execution-attempts.ts';
import { choicesLetThrough, inScope, textColumn, type FilterColumn } from './filter.ts';
import type { SqliteFunctions } from './functions.ts';
import type { GroupCommit } from './group-commit.ts';
import { SqliteIdempotencyKeys } from './idempotency-keys.ts';
import { KeysetList, type Road } from './keyset-list.ts';
import { Names } from './names.ts';
import type { SqliteVersions } from './versions.ts';

interface RowKey {
  key: number;
  tail: string;
}

interface ExecutionRow {
  key: number;
  tail: string;
  project: string;
  function: string;
  function_version: number;
  function_alias: string | null;
  description: string | null;
  status: number;
  is_sync: number;
  is_started: number;
  input: string | null;
  output: string | null;
  duration: number | null;
  created_at: number;
  updated_at: number | null;
  attempt: number;
  first_attempt: number | null;
  retry: string | null;
  next_attempt_at: number | null;
}

const STATUSES: readonly ExecutionStatus[] = [
  ExecutionStatus.Running,
  ExecutionStatus.Success,
  ExecutionStatus.Failed,
  ExecutionStatus.Error,
];
const COLUMNS = `SELECT key, tail, (SELECT text FROM names WHERE number = project) AS project,
  (SELECT text FROM names WHERE number = function) AS function, function_version, function_alias, description, status,
  is_sync, is_started, input, output, duration, created_at, updated_at, attempt, first_attempt, retry,
  next_attempt_at`;
const SELECT = `${COLUMNS} FROM executions`;
const SUCCESS = STATUSES.indexOf(ExecutionStatus.Success);
/** About what the texts of fixed size and the numbers of a row take. */
const ROW_BYTES = 400;

export class SqliteExecutions implements ExecutionStore {
  readonly #commit: GroupCommit;
  readonly #functions: SqliteFunctions;
  readonly #versions: SqliteVersions;
  readonly #names: Names;
  /** Who looks after the running executions that this store inserts. */
  readonly #gatewayId: string;
  readonly #dataVersion: () => number;
  readonly #list: KeysetList<ExecutionRow>;
  readonly #attempts: SqliteAttempts<ExecutionRow>;
  readonly #keys: SqliteIdempotencyKeys;
  readonly #insert: Statement<Value[]>;
  readonly #insertLog: Statement<[number, Buffer, number, number]>;
  readonly #get: Statement<[number, string], ExecutionRow>;
  readonly #getLog: Statement<[number], { text: Buffer; is_cut: number; is_finished: number }>;
  readonly #markStarted: Statement<[number, number, string, number, number]>;
  readonly #settle: Statement<Value[]>;
  readonly #delete: Statement<[number, string]>;
  readonly #deleteLog: Statement<[number]>;
  readonly #listRunning: Statement<[number, number, number, number], ExecutionRow>;
  readonly #listOwned: Statement<[number | null, number], ExecutionRow>;
  readonly #setOwner: Statement<[number, number]>;
  readonly #finalBefore: Statement<[number, number], RowKey>;
  readonly #finalAmongOldest: Statement<[number, number], RowKey>;
  readonly #countAll: Statement<[], { count: number }>;
  /** Rows in the table; undefined until it is asked for, and after a failed group. */
  #total: number | undefined;
  /** The state of the database in which #total was counted: it changes when another process writes. */
  #totalVersion = 0;

  constructor(
    database: Database,
    commit: GroupCommit,
    functions: SqliteFunctions,
    versions: SqliteVersions,
    gatewayId: string,
  ) {
    this.#gatewayId = gatewayId;
    this.#dataVersion = () => database.pragma('data_version', { simple: true }) as number;
    this.#commit = commit;
    this.#functions = functions;
    this.#versions = versions;
    this.#names = new Names(database);
    this.#attempts = new SqliteAttempts(database, SELECT);
    this.#keys = new SqliteIdempotencyKeys(database, this.#names);
    commit.addPart({ apply: () => undefined, discard: () => this.#discard() });
    this.#list = new KeysetList(database, commit, {
      table: 'executions',
      select: COLUMNS,
      order: ['key'],
      start: [-1],
      columns: {
        functionId: this.#nameColumn('function'),
        projectId: this.#nameColumn('project'),
        status: { sql: 'status', choices: STATUSES },
        description: textColumn('description'),
      },
      roadOf,
      bytesOf: ({ input, output }) => ROW_BYTES + (input?.length ?? 0) + (output?.length ?? 0),
    });
    this.#insert = database.prepare(
      `INSERT INTO executions (key, tail, project, function, function_version, function_alias, description, status,
        is_sync, is_started, input, output, duration, created_at, updated_at, gateway)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertLog = database.prepare(
      'INSERT OR REPLACE INTO execution_logs (key, text, is_cut, is_finished) VALUES (?, ?, ?, ?)',
    );
    this.#get = database.prepare(`${SELECT} WHERE key = ? AND tail = ?`);
    this.#getLog = database.prepare('SELECT text, is_cut, is_finished FROM execution_logs WHERE key = ?');
    this.#markStarted = database.prepare(
      `UPDATE executions SET is_started = 1, next_attempt_at = NULL, updated_at = ?
        WHERE key = ? AND tail = ? AND gateway = ? AND status = 0 AND is_started = 0 AND attempt = ?`,
    );
    this.#settle = database.prepare(
      `UPDATE executions SET status = ?, output = ?, duration = ?, next_attempt_at = NULL, updated_at = ?
        WHERE key = ? AND tail = ? AND status = 0 AND attempt = ?`,
    );
    this.#delete = database.prepare('DELETE FROM executions WHERE key = ? AND tail = ?');
    this.#deleteLog = database.prepare('DELETE FROM execution_logs WHERE key = ?');
    this.#listRunning = database.prepare(
      `${SELECT} WHERE status = 0 AND gateway = ? AND is_started = ? AND next_attempt_at IS NULL AND key > ?
        ORDER BY key LIMIT ?`,
    );
    this.#listOwned = database.prepare(`${SELECT} WHERE status = 0 AND gateway IS ? LIMIT ?`);
    this.#setOwner = database.prepare('UPDATE executions SET gateway = ? WHERE key = ?');
    this.#finalBefore = database.prepare(
      'SELECT key, tail FROM executions WHERE key < ? AND status != 0 ORDER BY key LIMIT ?',
    );
    this.#finalAmongOldest = database.prepare(
      `SELECT key, tail FROM (SELECT key, tail, status FROM executions ORDER BY key LIMIT ?)
        WHERE status != 0 ORDER BY key LIMIT ?`,
    );
    this.#countAll = database.prepare('SELECT count(*) AS count FROM executions');
  }

  insert(record: ExecutionRecord, log: ExecutionLog | null): Promise<void> {
    return this.#commit.write(() => this.add(record, log));
  }

  insertOnce(record: ExecutionRecord, key: IdempotencyKey, takenSince: TimeMs): Promise<TakenKey | undefined> {
    return this.#commit.write(() => {
      const taken = this.#keys.find(record.projectId, key.text, takenSince);
      if (taken !== undefined) return taken;
      this.#keys.take(record, key);
      this.add(record, null);
      return undefined;
    });
  }

  findKey(projectId: string, text: string, takenSince: TimeMs): Promise<TakenKey | undefined> {
    return this.#commit.read(() => this.#keys.find(projectId, text, takenSince));
  }

  withdraw(record: ExecutionRecord, key: IdempotencyKey): Promise<void> {
    return this.#commit.write(() => {
      this.#keys.giveBack(record, key);
      const isRemoved = this.#remove(executionKey(record.id), executionTail(record.id));
      if (isRemoved) this.#count(record, -1);
    });
  }

  markStarted(id: string, attempt = 1): Promise<boolean> {
    return this.#commit.write(() => {
      const [key, tail, owner] = [executionKey(id), executionTail(id), this.#owner()];
      return this.#markStarted.run(Date.now(), key, tail, owner, attempt).changes > 0;
    });
  }

  settle(id: string, outcome: ExecutionOutcome, attempt = 1): Promise<boolean> {
    return this.#commit.write(() => {
      const key = executionKey(id);
      const { status, output, durationSeconds, log } = outcome;
      const values = [STATUSES.indexOf(status), output, durationSeconds, Date.now(), key, executionTail(id), attempt];
      const isSettled = this.#settle.run(...values).changes > 0;
      if (isSettled) this.#replaceLog(key, log, attempt);
      return isSettled;
    });
  }

  postpone(id: string, attempt: number, dueAt: TimeMs, log: ExecutionLog | null): Promise<boolean> {
    return this.#commit.write(() => {
      const key = executionKey(id);
      const isPostponed = this.#attempts.postpone(key, executionTail(id), attempt, dueAt);
      if (isPostponed) this.#replaceLog(key, log, attempt);
      return isPostponed;
    });
  }

  redrive(id: string, dueAt: TimeMs): Promise<ExecutionRecord | undefined> {
    return this.#commit.write(() => {
      const key = executionKey(id);
      if (!this.#attempts.redrive(key, executionTail(id), dueAt, this.#owner())) return undefined;
      this.#deleteLog.run(key);
      return toRecord(this.#get.get(key, executionTail(id))!);
    });
  }

  listDue(now: TimeMs, limit: number): Promise<ExecutionRecord[]> {
    return this.#commit.read(() => {
      const owner = this.#names.find(this.#gatewayId);
      return owner === undefined ? [] : this.#attempts.listDue(owner, now, limit).map(toRecord);
    });
  }

  nextDueAt(after: TimeMs): Promise<TimeMs | undefined> {
    return this.#commit.read(() => {
      const owner = this.#names.find(this.#gatewayId);
      return owner === undefined ? undefined : this.#attempts.nextDueAt(owner, after);
    });
  }

  pruneKeys({ takenBefore, limit }: { takenBefore: TimeMs; limit: number }): Promise<number> {
    return this.#commit.write(() => this.#keys.prune(takenBefore, limit));
  }

  get(id: string, scope: Scope): Promise<ExecutionRecord | undefined> {
    return this.#commit.read(() => {
      const row = this.#get.get(executionKey(id), executionTail(id));
      return row !== undefined && (scope === null || row.project === scope) ? toRecord(row) : undefined;
    });
  }

  getLog(id: string): Promise<ExecutionLog | null | undefined> {
    return this.#commit.read(() => {
      const key = executionKey(id);
      if (this.#get.get(key, executionTail(id)) === undefined) return undefined;
      const row = this.#getLog.get(key);
      return row === undefined ? null : { text: row.text, isCut: row.is_cut === 1, isFinished: row.is_finished === 1 };
    });
  }

  async *list({ scope, filters, after, limit }: Page): Chunks<ExecutionRecord> {
    const place = after === undefined ? undefined : [executionKey(after.id)];
    for await (const rows of this.#list.read(inScope(scope, filters), place, limit)) yield rows.map(toRecord);
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => this.#remove(executionKey(id), executionTail(id)));
  }

  listUnstarted(after: string | undefined, limit: number): Promise<ExecutionRecord[]> {
    return this.#running(0, after, limit);
  }

  listStarted(after: string | undefined, limit: number): Promise<ExecutionRecord[]> {
    return this.#running(1, after, limit);
  }

  takeOver(gatewayId: string | null, limit: number): Promise<ExecutionRecord[]> {
    return this.#commit.write(() => {
      const owner = gatewayId === null ? null : this.#names.find(gatewayId);
      const rows = owner === undefined ? [] : this.#listOwned.all(owner, limit);
      const newOwner = this.#owner();
      for (const { key } of rows) this.#setOwner.run(newOwner, key);
      return rows.map(toRecord);
    });
  }

  prune({ olderThan, keep, limit }: { olderThan: TimeMs; keep: number; limit: number }): Promise<number> {
    return this.#commit.write(() => {
      const version = this.#dataVersion();
      if (version !== this.#totalVersion) this.#total = undefined;
      this.#totalVersion = version;
      this.#total ??= this.#countAll.get()!.count;
      const tooOld = this.#finalBefore.all(firstKeyAt(olderThan), limit);
      const surplus = this.#total - keep;
      const tooMany = surplus > 0 ? this.#finalAmongOldest.all(surplus, limit) : [];
      const doomed = tooOld.length > tooMany.length ? tooOld : tooMany; // each starts with the oldest: one has the other
      for (const { key, tail } of doomed) this.#remove(key, tail);
      return doomed.length;
    });
  }

  /** Hot. Adds in the group that is being committed. */
  add(record: ExecutionRecord, log: ExecutionLog | null): void {
    const key = executionKey(record.id);
    this.#insert.run(
      key,
      executionTail(record.id),
      this.#names.numberOf(record.projectId),
      this.#names.numberOf(record.functionId),
      record.functionVersion,
      record.functionAlias,
      record.description,
      STATUSES.indexOf(record.status),
      record.isSync ? 1 : 0,
      record.isStarted ? 1 : 0,
      record.input,
      record.output,
      record.durationSeconds,
      record.createdAt,
      record.updatedAt,
      record.status === ExecutionStatus.Running ? this.#owner() : null,
    );
    if (this.#total !== undefined) this.#total++;
    if (log !== null) this.#writeLog(key, log);
    if (record.attempts !== null) this.#attempts.write(key, record.attempts);
    this.#count(record, 1);
  }

  /** Hot. This gateway's number, in the group that is being committed. */
  #owner(): number {
    return this.#names.numberOf(this.#gatewayId);
  }

  #discard(): void {
    this.#total = undefined;
    this.#names.forget();
  }

  #nameColumn(sql: string): FilterColumn {
    const textSql = `(SELECT text FROM names WHERE number = ${sql})`;
    return { sql, textSql, toValue: (text) => this.#names.find(text) };
  }

  #running(isStarted: number, after: string | undefined, limit: number): Promise<ExecutionRecord[]> {
    const afterKey = after === undefined ? -1 : executionKey(after);
    return this.#commit.read(() => {
      const owner = this.#names.find(this.#gatewayId);
      return owner === undefined ? [] : this.#listRunning.all(owner, isStarted, afterKey, limit).map(toRecord);
    });
  }

  #count({ functionId, functionVersion }: ExecutionRecord, change: 1 | -1): void {
    if (functionVersion === 0) this.#functions.countExecution(functionId, change);
    else this.#versions.countExecution(functionId, functionVersion, change);
  }

  #remove(key: number, tail: string): boolean {
    if (this.#delete.run(key, tail).changes === 0) return false;
    if (this.#total !== undefined) this.#total--;
    this.#deleteLog.run(key);
    return true;
  }

  /** What an earlier attempt printed goes. */
  #replaceLog(key: number, log: ExecutionLog | null, attempt: number): void {
    if (log !== null) this.#writeLog(key, log);
    else if (attempt > 1) this.#deleteLog.run(key);
  }

  #writeLog(key: number, { text, isCut, isFinished }: ExecutionLog): void {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    this.#insertLog.run(key, bytes, isCut ? 1 : 0, isFinished ? 1 : 0);
  }
}

/**
 * A function has fewer executions than its project. What is not finished or did not succeed has an index of its own, as
 * it is looked for often.
 */
function roadOf(filters: readonly Filter[]): Road {
  const equal = (name: string) => filters.find(({ field, operator }) => field === name && operator === 'eq');
  const ofFunction = equal('functionId');
  if (ofFunction !== undefined) return { index: 'INDEXED BY executions_function', covered: [ofFunction] };
  const ofProject = equal('projectId');
  if (ofProject === undefined) return { index: 'NOT INDEXED', covered: [] };
  const covered = [ofProject];
  const isWithoutSuccess = filters.some(
    (filter) => filter.field === 'status' && !choicesLetThrough(STATUSES, filter).includes(SUCCESS),
  );
  if (!isWithoutSuccess) return { index: 'INDEXED BY executions_project', covered };
  return { index: 'INDEXED BY executions_unsuccessful', covered, condition: `status != ${SUCCESS}` };
}

function toRecord(row: ExecutionRow): ExecutionRecord {
  return {
    id: executionId(row.key, row.tail),
    projectId: row.project,
    functionId: row.function,
    functionVersion: row.function_version,
    functionAlias: row.function_alias,
    description: row.description,
    status: STATUSES[row.status]!,
    isSync: row.is_sync === 1,
    input: row.input,
    output: row.output,
    durationSeconds: row.duration,
    isStarted: row.is_started === 1,
    attempts: toAttempts(row),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toAttempts({ attempt, first_attempt: first, retry, next_attempt_at: dueAt }: ExecutionRow): Attempts | null {
  if (first === null) return null;
  return { number: attempt, first, policy: retry === null ? null : (JSON.parse(retry) as RetryPolicy), dueAt };
}

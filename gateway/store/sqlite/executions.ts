import { setImmediate as nextTurn } from 'node:timers/promises';
import { executionId, executionKey, executionTail, firstKeyAt } from '../../execution-id.ts';
import {
  ExecutionStatus,
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
import { filterSql, inScope, textColumn, type FilterColumn, type FilterColumns } from './filter.ts';
import type { SqliteFunctions } from './functions.ts';
import type { GroupCommit } from './group-commit.ts';
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
}

const STATUSES: readonly ExecutionStatus[] = [
  ExecutionStatus.Running,
  ExecutionStatus.Success,
  ExecutionStatus.Failed,
  ExecutionStatus.Error,
];
/** Rows that one statement of a list looks at where no index finds those wanted: it stops the gateway for milliseconds. */
const LIST_WINDOW = 5_000;
/** These filters are answered by an index. */
const INDEXED: ReadonlySet<string> = new Set(['functionId eq', 'projectId eq']);

const STATUS_TEXT = `(CASE status WHEN 0 THEN 'running' WHEN 1 THEN 'success' WHEN 2 THEN 'failed' ELSE 'error' END)`;
const SELECT = `SELECT key, tail, (SELECT text FROM names WHERE number = project) AS project,
  (SELECT text FROM names WHERE number = function) AS function, function_version, function_alias, description, status,
  is_sync, is_started, input, output, duration, created_at, updated_at FROM executions`;

export class SqliteExecutions implements ExecutionStore {
  readonly #database: Database;
  readonly #commit: GroupCommit;
  readonly #functions: SqliteFunctions;
  readonly #versions: SqliteVersions;
  readonly #names: Names;
  readonly #filters: FilterColumns;
  readonly #filtersWithFunction: FilterColumns;
  readonly #insert: Statement<Value[]>;
  readonly #insertLog: Statement<[number, Buffer, number, number]>;
  readonly #get: Statement<[number, string], ExecutionRow>;
  readonly #getLog: Statement<[number], { text: Buffer; is_cut: number; is_finished: number }>;
  readonly #markStarted: Statement<[number, number, string]>;
  readonly #settle: Statement<Value[]>;
  readonly #delete: Statement<[number, string]>;
  readonly #deleteLog: Statement<[number]>;
  readonly #listRunning: Statement<[number, number, number], ExecutionRow>;
  readonly #finalBefore: Statement<[number, number], RowKey>;
  readonly #finalAmongOldest: Statement<[number, number], RowKey>;
  readonly #countAll: Statement<[], { count: number }>;
  readonly #windowEnd: Statement<[number, number], { key: number }>;
  /** Rows in the table; undefined until it is asked for, and after a failed group. */
  #total: number | undefined;

  constructor(database: Database, commit: GroupCommit, functions: SqliteFunctions, versions: SqliteVersions) {
    this.#database = database;
    this.#commit = commit;
    this.#functions = functions;
    this.#versions = versions;
    this.#names = new Names(database);
    commit.addPart({ apply: () => undefined, discard: () => this.#discard() });
    this.#filters = {
      functionId: this.#nameColumn('function'),
      projectId: this.#nameColumn('project'),
      status: { sql: 'status', textSql: STATUS_TEXT, toValue: statusNumber },
      description: textColumn('description'),
    };
    // `+` keeps the index of projects out of it: a function has fewer executions than its project
    this.#filtersWithFunction = { ...this.#filters, projectId: this.#nameColumn('+project') };
    this.#insert = database.prepare(
      `INSERT INTO executions (key, tail, project, function, function_version, function_alias, description, status,
        is_sync, is_started, input, output, duration, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertLog = database.prepare(
      'INSERT OR REPLACE INTO execution_logs (key, text, is_cut, is_finished) VALUES (?, ?, ?, ?)',
    );
    this.#get = database.prepare(`${SELECT} WHERE key = ? AND tail = ?`);
    this.#getLog = database.prepare('SELECT text, is_cut, is_finished FROM execution_logs WHERE key = ?');
    this.#markStarted = database.prepare(
      'UPDATE executions SET is_started = 1, updated_at = ? WHERE key = ? AND tail = ? AND status = 0 AND is_started = 0',
    );
    this.#settle = database.prepare(
      `UPDATE executions SET status = ?, output = ?, duration = ?, updated_at = ?
        WHERE key = ? AND tail = ? AND status = 0`,
    );
    this.#delete = database.prepare('DELETE FROM executions WHERE key = ? AND tail = ?');
    this.#deleteLog = database.prepare('DELETE FROM execution_logs WHERE key = ?');
    this.#listRunning = database.prepare(
      `${SELECT} WHERE status = 0 AND is_started = ? AND key > ? ORDER BY key LIMIT ?`,
    );
    this.#finalBefore = database.prepare(
      'SELECT key, tail FROM executions WHERE key < ? AND status != 0 ORDER BY key LIMIT ?',
    );
    this.#finalAmongOldest = database.prepare(
      `SELECT key, tail FROM (SELECT key, tail, status FROM executions ORDER BY key LIMIT ?)
        WHERE status != 0 ORDER BY key LIMIT ?`,
    );
    this.#countAll = database.prepare('SELECT count(*) AS count FROM executions');
    this.#windowEnd = database.prepare('SELECT key FROM executions WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?');
  }

  insert(record: ExecutionRecord, log: ExecutionLog | null): Promise<void> {
    return this.#commit.write(() => {
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
      );
      if (this.#total !== undefined) this.#total++;
      if (log !== null) this.#writeLog(key, log);
      if (record.functionVersion === 0) this.#functions.countExecution(record.functionId);
      else this.#versions.countExecution(record.functionId, record.functionVersion);
    });
  }

  markStarted(id: string): Promise<boolean> {
    return this.#commit.write(() => {
      return this.#markStarted.run(Date.now(), executionKey(id), executionTail(id)).changes > 0;
    });
  }

  settle(id: string, outcome: ExecutionOutcome): Promise<boolean> {
    return this.#commit.write(() => {
      const key = executionKey(id);
      const { status, output, durationSeconds, log } = outcome;
      const values = [STATUSES.indexOf(status), output, durationSeconds, Date.now(), key, executionTail(id)];
      const isSettled = this.#settle.run(...values).changes > 0;
      if (isSettled && log !== null) this.#writeLog(key, log);
      return isSettled;
    });
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

  async list({ scope, filters: given, after, limit }: Page): Promise<ExecutionRecord[]> {
    const filters = inScope(scope, given);
    const isIndexed = filters.every(({ field, operator }) => INDEXED.has(`${field} ${operator}`));
    const records: ExecutionRecord[] = [];
    let from = after === undefined ? -1 : executionKey(after);
    while (records.length < limit) {
      const end = await this.#commit.read(() => {
        const lastKey = isIndexed ? undefined : this.#windowEnd.get(from, LIST_WINDOW)?.key;
        const rows = this.#select(filters, from, lastKey ?? Number.MAX_SAFE_INTEGER, limit - records.length);
        for (const row of rows) records.push(toRecord(row));
        return lastKey;
      });
      if (end === undefined) break;
      from = end;
      await nextTurn();
    }
    return records;
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

  prune({ olderThan, keep, limit }: { olderThan: TimeMs; keep: number; limit: number }): Promise<number> {
    return this.#commit.write(() => {
      this.#total ??= this.#countAll.get()!.count;
      const tooOld = this.#finalBefore.all(firstKeyAt(olderThan), limit);
      const surplus = this.#total - keep;
      const tooMany = surplus > 0 ? this.#finalAmongOldest.all(surplus, limit) : [];
      const doomed = tooOld.length > tooMany.length ? tooOld : tooMany; // each starts with the oldest: one has the other
      for (const { key, tail } of doomed) this.#remove(key, tail);
      return doomed.length;
    });
  }

  #discard(): void {
    this.#total = undefined;
    this.#names.forget();
  }

  #nameColumn(sql: string): FilterColumn {
    const textSql = `(SELECT text FROM names WHERE number = ${sql})`;
    return { sql, textSql, toValue: (text) => this.#names.find(text) };
  }

  #select(filters: readonly Filter[], afterKey: number, lastKey: number, limit: number): ExecutionRow[] {
    const hasFunction = filters.some(({ field, operator }) => field === 'functionId' && operator === 'eq');
    const { sql, values } = filterSql(filters, hasFunction ? this.#filtersWithFunction : this.#filters);
    const statement = this.#database.prepare(`${SELECT} WHERE ${sql} AND key > ? AND key <= ? ORDER BY key LIMIT ?`);
    return statement.all(...values, afterKey, lastKey, limit) as ExecutionRow[];
  }

  #running(isStarted: number, after: string | undefined, limit: number): Promise<ExecutionRecord[]> {
    const afterKey = after === undefined ? -1 : executionKey(after);
    return this.#commit.read(() => this.#listRunning.all(isStarted, afterKey, limit).map(toRecord));
  }

  #remove(key: number, tail: string): boolean {
    if (this.#delete.run(key, tail).changes === 0) return false;
    if (this.#total !== undefined) this.#total--;
    this.#deleteLog.run(key);
    return true;
  }

  #writeLog(key: number, { text, isCut, isFinished }: ExecutionLog): void {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    this.#insertLog.run(key, bytes, isCut ? 1 : 0, isFinished ? 1 : 0);
  }
}

function statusNumber(text: string): number | undefined {
  const number = STATUSES.indexOf(text as ExecutionStatus);
  return number < 0 ? undefined : number;
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
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

import { executionKey, executionTail } from '../../execution-id.ts';
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
import { SqliteExecutionLogs } from './execution-logs.ts';
import { COLUMNS, SELECT, STATUSES, toRecord, type ExecutionRow } from './execution-row.ts';
import { choicesLetThrough, inScope, textColumn, type FilterColumn } from './filter.ts';
import type { SqliteFunctions } from './functions.ts';
import type { GroupCommit } from './group-commit.ts';
import { SqliteIdempotencyKeys } from './idempotency-keys.ts';
import { KeysetList, type Road } from './keyset-list.ts';
import { Names } from './names.ts';
import { OldExecutions } from './old-executions.ts';
import type { SqliteVersions } from './versions.ts';

const SUCCESS = STATUSES.indexOf(ExecutionStatus.Success);
/** About what the texts of fixed size and the numbers of a row take. */
const ROW_BYTES = 400;
/** What one look at running executions takes of their inputs, but for the last one. */
const TAKEN_BYTES = 16 * 1024 * 1024;

export class SqliteExecutions implements ExecutionStore {
  readonly #commit: GroupCommit;
  readonly #functions: SqliteFunctions;
  readonly #versions: SqliteVersions;
  readonly #names: Names;
  /** Who looks after the running executions that this store inserts. */
  readonly #gatewayId: string;
  readonly #list: KeysetList<ExecutionRow>;
  readonly #attempts: SqliteAttempts;
  readonly #logs: SqliteExecutionLogs;
  readonly #old: OldExecutions;
  readonly #keys: SqliteIdempotencyKeys;
  readonly #insert: Statement<Value[]>;
  readonly #get: Statement<[number, string], ExecutionRow>;
  readonly #markStarted: Statement<[number, number, string, number, number]>;
  readonly #settle: Statement<Value[]>;
  readonly #delete: Statement<[number, string]>;
  readonly #listUnstarted: Statement<[number, number, number, number], ExecutionRow>;
  readonly #listUnstartedFunctions: Statement<[number, number, number, number], { text: string }>;
  readonly #listStarted: Statement<[number, number, number], ExecutionRow>;
  readonly #listOwned: Statement<[number | null, number], ExecutionRow>;
  readonly #setOwner: Statement<[number, number]>;

  constructor(
    database: Database,
    commit: GroupCommit,
    functions: SqliteFunctions,
    versions: SqliteVersions,
    gatewayId: string,
  ) {
    this.#gatewayId = gatewayId;
    this.#commit = commit;
    this.#functions = functions;
    this.#versions = versions;
    this.#names = new Names(database);
    this.#attempts = new SqliteAttempts(database);
    this.#logs = new SqliteExecutionLogs(database);
    this.#old = new OldExecutions(database);
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
    this.#get = database.prepare(`${SELECT} WHERE key = ? AND tail = ?`);
    this.#markStarted = database.prepare(
      `UPDATE executions SET is_started = 1, next_attempt_at = NULL, updated_at = ?
        WHERE key = ? AND tail = ? AND gateway = ? AND status = 0 AND is_started = 0 AND attempt = ?`,
    );
    this.#settle = database.prepare(
      `UPDATE executions SET status = ?, output = ?, duration = ?, next_attempt_at = NULL, updated_at = ?
        WHERE key = ? AND tail = ? AND status = 0 AND attempt = ?`,
    );
    this.#delete = database.prepare('DELETE FROM executions WHERE key = ? AND tail = ?');
    this.#listUnstarted = database.prepare(
      `${SELECT} WHERE status = 0 AND gateway = ? AND is_started = 0 AND function = ? AND next_attempt_at IS NULL
        AND key > ? ORDER BY key LIMIT ?`,
    );
    // From one function to the next in the index, however many executions each has.
    this.#listUnstartedFunctions = database.prepare(
      `WITH RECURSIVE unstarted (owner, function) AS (
        VALUES (?, ?)
        UNION ALL
        SELECT owner, (SELECT MIN(e.function) FROM executions e WHERE e.status = 0 AND e.gateway = owner
          AND e.is_started = 0 AND e.function > unstarted.function) FROM unstarted WHERE function IS NOT NULL
      ) SELECT (SELECT text FROM names WHERE number = function) AS text FROM unstarted WHERE function > ? LIMIT ?`,
    );
    // The index has them by function: only their keys are put in order, not what they hold.
    this.#listStarted = database.prepare(
      `${SELECT} WHERE key IN (SELECT key FROM executions WHERE status = 0 AND gateway = ? AND is_started = 1
        AND next_attempt_at IS NULL AND key > ? ORDER BY key LIMIT ?) ORDER BY key`,
    );
    this.#listOwned = database.prepare(`${SELECT} WHERE status = 0 AND gateway IS ? LIMIT ?`);
    this.#setOwner = database.prepare('UPDATE executions SET gateway = ? WHERE key = ?');
  }

  insert(record: ExecutionRecord, log: ExecutionLog | null): Promise<void> {
    return this.#commit.write(() => this.add(record, log));
  }

  insertThen(
    record: ExecutionRecord,
    log: ExecutionLog | null,
    onWritten: () => void,
    onFault: (cause: unknown) => void,
  ): void {
    this.#commit.add({ run: () => this.add(record, log), resolve: onWritten, reject: onFault });
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
      if (isSettled) this.#logs.replace(key, log, attempt);
      return isSettled;
    });
  }

  postpone(id: string, attempt: number, dueAt: TimeMs, log: ExecutionLog | null): Promise<boolean> {
    return this.#commit.write(() => {
      const key = executionKey(id);
      const isPostponed = this.#attempts.postpone(key, executionTail(id), attempt, dueAt);
      if (isPostponed) this.#logs.replace(key, log, attempt);
      return isPostponed;
    });
  }

  redrive(id: string, dueAt: TimeMs): Promise<ExecutionRecord | undefined> {
    return this.#commit.write(() => {
      const key = executionKey(id);
      if (!this.#attempts.redrive(key, executionTail(id), dueAt, this.#owner())) return undefined;
      this.#logs.delete(key);
      return toRecord(this.#get.get(key, executionTail(id))!);
    });
  }

  takeDue(now: TimeMs, limit: number): Promise<ExecutionRecord[]> {
    return this.#commit.write(() => {
      const due = takeSome(this.#attempts.due(this.#owner(), now, limit));
      return due.map((row) => toRecord(this.#attempts.taken(row)));
    });
  }

  nextDueAt(after: TimeMs): Promise<TimeMs | undefined> {
    return this.#readOwned(undefined, (owner) => this.#attempts.nextDueAt(owner, after));
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
      return this.#logs.get(key);
    });
  }

  async *list({ scope, filters, after, limit }: Page): Chunks<ExecutionRecord> {
    const place = after === undefined ? undefined : [executionKey(after.id)];
    for await (const rows of this.#list.read(inScope(scope, filters), place, limit)) yield rows.map(toRecord);
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => this.#remove(executionKey(id), executionTail(id)));
  }

  listUnstarted(functionId: string, after: string | undefined, limit: number): Promise<ExecutionRecord[]> {
    return this.#readOwned([], (owner) => {
      const number = this.#names.find(functionId);
      const rows = number === undefined ? [] : this.#listUnstarted.iterate(owner, number, keyAfter(after), limit);
      return takeSome(rows).map(toRecord);
    });
  }

  listUnstartedFunctions(after: string | undefined, limit: number): Promise<string[]> {
    return this.#readOwned([], (owner) => {
      const number = (after === undefined ? undefined : this.#names.find(after)) ?? -1;
      return this.#listUnstartedFunctions.all(owner, number, number, limit).map(({ text }) => text);
    });
  }

  listStarted(after: string | undefined, limit: number): Promise<ExecutionRecord[]> {
    return this.#readOwned([], (owner) =>
      takeSome(this.#listStarted.iterate(owner, keyAfter(after), limit)).map(toRecord),
    );
  }

  takeOver(gatewayId: string | null, limit: number): Promise<ExecutionRecord[]> {
    return this.#commit.write(() => {
      const owner = gatewayId === null ? null : this.#names.find(gatewayId);
      const rows = owner === undefined ? [] : takeSome(this.#listOwned.iterate(owner, limit));
      const newOwner = this.#owner();
      for (const { key } of rows) this.#setOwner.run(newOwner, key);
      return rows.map(toRecord);
    });
  }

  prune({ olderThan, keep, limit }: { olderThan: TimeMs; keep: number; limit: number }): Promise<number> {
    return this.#commit.write(() => {
      const doomed = this.#old.find(olderThan, keep, limit);
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
    this.#old.counted(1);
    if (log !== null) this.#logs.write(key, log);
    if (record.attempts !== null) this.#attempts.write(key, record.attempts);
    this.#count(record, 1);
  }

  /** Hot. This gateway's number, in the group that is being committed. */
  #owner(): number {
    return this.#names.numberOf(this.#gatewayId);
  }

  #discard(): void {
    this.#old.forget();
    this.#names.forget();
  }

  #nameColumn(sql: string): FilterColumn {
    const textSql = `(SELECT text FROM names WHERE number = ${sql})`;
    return { sql, textSql, toValue: (text) => this.#names.find(text) };
  }

  /** Reads what is this gateway's; `none` while it has written nothing. */
  #readOwned<Found>(none: Found, read: (owner: number) => Found): Promise<Found> {
    return this.#commit.read(() => {
      const owner = this.#names.find(this.#gatewayId);
      return owner === undefined ? none : read(owner);
    });
  }

  #count({ functionId, functionVersion }: ExecutionRecord, change: 1 | -1): void {
    if (functionVersion === 0) this.#functions.countExecution(functionId, change);
    else this.#versions.countExecution(functionId, functionVersion, change);
  }

  #remove(key: number, tail: string): boolean {
    if (this.#delete.run(key, tail).changes === 0) return false;
    this.#old.counted(-1);
    this.#logs.delete(key);
    return true;
  }
}

function keyAfter(after: string | undefined): number {
  return after === undefined ? -1 : executionKey(after);
}

/** The first rows, until they hold a lot; at least one where there is one. */
function takeSome(rows: Iterable<ExecutionRow>): ExecutionRow[] {
  const taken: ExecutionRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    taken.push(row);
    bytes += row.input?.length ?? 0;
    if (bytes >= TAKEN_BYTES) break;
  }
  return taken;
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

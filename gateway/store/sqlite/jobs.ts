import { JobStatus, type JobChange, type JobRecord, type JobStore, type RunReference } from '../job-store.ts';
import type { Chunks, ExecutionRecord, Filter, Page, Scope, TimeMs } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import type { SqliteExecutions } from './executions.ts';
import { inScope, textColumn } from './filter.ts';
import type { GroupCommit } from './group-commit.ts';
import { KeysetList, type Road } from './keyset-list.ts';

interface JobRow {
  id: string;
  project_id: string;
  name: string | null;
  function_id: string | null;
  function_alias: string | null;
  function_version: number;
  function_input: string | null;
  pattern: string | null;
  status: string;
  count: number | null;
  first_execution_at: number;
  next_execution_at: number;
  created_at: number;
  updated_at: number | null;
}

const NAMES = [
  'id',
  'project_id',
  'name',
  'function_id',
  'function_alias',
  'function_version',
  'function_input',
  'pattern',
  'status',
  'count',
  'first_execution_at',
  'next_execution_at',
  'created_at',
  'updated_at',
] as const;
const COLUMNS = NAMES.join(', ');
/** About what the columns of a row take. */
const ROW_BYTES = 500;
const FILTERS = { projectId: textColumn('project_id'), status: textColumn('status') };
/** What a decision about a job rests on. */
const AS_SEEN = ['status', 'nextExecutionAt', 'pattern'] as const;
const UNFINISHED = "status IN ('running', 'paused')";

export class SqliteJobs implements JobStore {
  readonly #commit: GroupCommit;
  readonly #executions: SqliteExecutions;
  readonly #list: KeysetList<JobRow>;
  readonly #put: Statement<Value[]>;
  readonly #get: Statement<[string, Scope, Scope], JobRow>;
  readonly #delete: Statement<[string]>;
  readonly #due: Statement<[number, number], JobRow>;
  readonly #nextDue: Statement<[], { next_execution_at: number }>;
  readonly #hasOfFunction: Statement<[string, number | null, number | null]>;
  readonly #hasOfAlias: Statement<[string, string]>;
  readonly #deleteFinished: Statement<[string]>;

  constructor(database: Database, commit: GroupCommit, executions: SqliteExecutions) {
    this.#commit = commit;
    this.#executions = executions;
    this.#list = new KeysetList(database, commit, {
      table: 'jobs',
      select: `SELECT ${COLUMNS}`,
      order: ['created_at', 'id'],
      start: [-1, ''],
      columns: FILTERS,
      roadOf,
      bytesOf: (row) => ROW_BYTES + (row.function_input?.length ?? 0),
    });
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO jobs (${COLUMNS}) VALUES (${NAMES.map(() => '?').join(', ')})`,
    );
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM jobs WHERE id = ? AND (? IS NULL OR project_id = ?)`);
    this.#delete = database.prepare('DELETE FROM jobs WHERE id = ?');
    this.#due = database.prepare(
      `SELECT ${COLUMNS} FROM jobs WHERE status = 'running' AND next_execution_at <= ?
        ORDER BY next_execution_at LIMIT ?`,
    );
    this.#nextDue = database.prepare(
      "SELECT next_execution_at FROM jobs WHERE status = 'running' ORDER BY next_execution_at LIMIT 1",
    );
    this.#hasOfFunction = database.prepare(
      `SELECT 1 FROM jobs WHERE function_id = ? AND (? IS NULL OR function_version = ?) AND ${UNFINISHED} LIMIT 1`,
    );
    this.#hasOfAlias = database.prepare(
      `SELECT 1 FROM jobs WHERE project_id = ? AND function_alias = ? AND ${UNFINISHED} LIMIT 1`,
    );
    this.#deleteFinished = database.prepare(`DELETE FROM jobs WHERE function_id = ? AND NOT ${UNFINISHED}`);
  }

  insert(record: JobRecord): Promise<void> {
    return this.#commit.write(() => this.#write(record));
  }

  get(id: string, scope: Scope): Promise<JobRecord | undefined> {
    return this.#commit.read(() => toRecord(this.#get.get(id, scope, scope)));
  }

  async *list({ scope, filters, after, limit }: Page): Chunks<JobRecord> {
    const place = after === undefined ? undefined : [after.createdAt, after.id];
    for await (const rows of this.#list.read(inScope(scope, filters), place, limit)) {
      yield rows.map((row) => toRecord(row)!);
    }
  }

  update(seen: JobRecord, change: JobChange): Promise<JobRecord | undefined> {
    return this.#commit.write(() => this.#change(seen, change));
  }

  fire(seen: JobRecord, change: JobChange, execution: ExecutionRecord | null): Promise<boolean> {
    return this.#commit.write(() => {
      if (this.#change(seen, change) === undefined) return false;
      if (execution !== null) this.#executions.add(execution, null);
      return true;
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => this.#delete.run(id).changes > 0);
  }

  listDue(nowMs: TimeMs, limit: number): Promise<JobRecord[]> {
    return this.#commit.read(() => this.#due.all(nowMs, limit).map((row) => toRecord(row)!));
  }

  nextDueAt(): Promise<TimeMs | undefined> {
    return this.#commit.read(() => this.#nextDue.get()?.next_execution_at);
  }

  hasUnfinished(reference: RunReference): Promise<boolean> {
    return this.#commit.read(() => {
      if ('functionAlias' in reference) {
        return this.#hasOfAlias.get(reference.projectId, reference.functionAlias) !== undefined;
      }
      const { functionId, functionVersion = null } = reference;
      return this.#hasOfFunction.get(functionId, functionVersion, functionVersion) !== undefined;
    });
  }

  async deleteFinished(functionId: string): Promise<void> {
    await this.#commit.write(() => this.#deleteFinished.run(functionId));
  }

  /** Compare and set, inside of a group. */
  #change(seen: JobRecord, change: JobChange): JobRecord | undefined {
    const record = toRecord(this.#get.get(seen.id, null, null));
    if (record === undefined || !AS_SEEN.every((field) => record[field] === seen[field])) return undefined;
    const changed = { ...record, updatedAt: Date.now(), ...change };
    this.#write(changed);
    return changed;
  }

  #write(record: JobRecord): void {
    this.#put.run(
      record.id,
      record.projectId,
      record.name,
      record.functionId,
      record.functionAlias,
      record.functionVersion,
      record.functionInput,
      record.pattern,
      record.status,
      record.count,
      record.firstExecutionAt,
      record.nextExecutionAt,
      record.createdAt,
      record.updatedAt,
    );
  }
}

/** A project's own have an index in the order of the list. */
function roadOf(filters: readonly Filter[]): Road {
  const ofProject = filters.find(({ field, operator }) => field === 'projectId' && operator === 'eq');
  if (ofProject === undefined) return { index: 'INDEXED BY jobs_order', covered: [] };
  return { index: 'INDEXED BY jobs_project_order', covered: [ofProject] };
}

function toRecord(row: JobRow | undefined): JobRecord | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    functionId: row.function_id,
    functionAlias: row.function_alias,
    functionVersion: row.function_version,
    functionInput: row.function_input,
    pattern: row.pattern,
    status: row.status as JobStatus,
    count: row.count,
    firstExecutionAt: row.first_execution_at,
    nextExecutionAt: row.next_execution_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

import type { RetryPolicy } from '../attempts.ts';
import type { Chunks, CodeDocument, Filter, FunctionRecord, FunctionStore, Page, Scope } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import type { Definitions } from './definitions.ts';
import { inScope, textColumn, type FilterColumns } from './filter.ts';
import type { GroupCommit, GroupPart } from './group-commit.ts';
import { KeysetList, type Road } from './keyset-list.ts';

interface FunctionRow {
  id: string;
  project_id: string;
  name: string | null;
  description: string | null;
  runtime_id: string | null;
  code: string;
  package_digest: string | null;
  entry: string | null;
  cpu_millicores: number;
  memory_bytes: number;
  timeout_seconds: number;
  retry: string | null;
  count: number;
  latest_version: number;
  created_at: number;
  updated_at: number | null;
}

const NAMES = [
  'id',
  'project_id',
  'name',
  'description',
  'runtime_id',
  'code',
  'package_digest',
  'entry',
  'cpu_millicores',
  'memory_bytes',
  'timeout_seconds',
  'retry',
  'count',
  'latest_version',
  'created_at',
  'updated_at',
] as const;
const COLUMNS = NAMES.join(', ');
const FILTERS: FilterColumns = {
  projectId: textColumn('project_id'),
  runtimeId: textColumn('runtime_id'),
  name: textColumn('name'),
  description: textColumn('description'),
};
/** About what the columns of a row take, but its code. */
const ROW_BYTES = 500;

export class SqliteFunctions implements FunctionStore, GroupPart {
  readonly #commit: GroupCommit;
  readonly #definitions: Definitions;
  readonly #put: Statement<Value[]>;
  readonly #get: Statement<[string], FunctionRow>;
  readonly #getInScope: Statement<[string, Scope, Scope], FunctionRow>;
  readonly #setLatestVersion: Statement<[number, number, string]>;
  readonly #delete: Statement<[string]>;
  readonly #deleteVersions: Statement<[string]>;
  readonly #addCount: Statement<[number, number, string]>;
  readonly #list: KeysetList<FunctionRow>;
  readonly #hasRuntime: Statement<[string], { one: number }>;
  readonly #hasDigest: Statement<[string], { one: number }>;
  /** Executions inserted by the group that is being committed, by function: one update each instead of one a row. */
  readonly #counts = new Map<string, number>();

  constructor(database: Database, commit: GroupCommit, definitions: Definitions) {
    this.#commit = commit;
    this.#definitions = definitions;
    commit.addPart(this);
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO functions (${COLUMNS}) VALUES (${NAMES.map(() => '?').join(', ')})`,
    );
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM functions WHERE id = ?`);
    this.#getInScope = database.prepare(
      `SELECT ${COLUMNS} FROM functions WHERE id = ? AND (? IS NULL OR project_id = ?)`,
    );
    this.#setLatestVersion = database.prepare('UPDATE functions SET latest_version = ?, updated_at = ? WHERE id = ?');
    this.#delete = database.prepare('DELETE FROM functions WHERE id = ?');
    this.#deleteVersions = database.prepare('DELETE FROM function_versions WHERE function_id = ?');
    this.#addCount = database.prepare('UPDATE functions SET count = count + ?, updated_at = ? WHERE id = ?');
    this.#list = new KeysetList(database, commit, {
      table: 'functions',
      select: `SELECT ${COLUMNS}`,
      order: ['created_at', 'id'],
      start: [-1, ''],
      columns: FILTERS,
      roadOf,
      bytesOf: ({ code }) => ROW_BYTES + code.length,
    });
    this.#hasRuntime = database.prepare('SELECT 1 AS one FROM functions WHERE runtime_id = ? LIMIT 1');
    this.#hasDigest = database.prepare('SELECT 1 AS one FROM functions WHERE package_digest = ? LIMIT 1');
  }

  insert(record: FunctionRecord): Promise<void> {
    return this.#commit.write(() => this.#write(record));
  }

  get(id: string, scope: Scope): Promise<FunctionRecord | undefined> {
    return this.#commit.read(() => toRecord(this.#getInScope.get(id, scope, scope)));
  }

  async *list({ scope, filters, after, limit }: Page): Chunks<FunctionRecord> {
    const place = after === undefined ? undefined : [after.createdAt, after.id];
    for await (const rows of this.#list.read(inScope(scope, filters), place, limit)) {
      yield rows.map((row) => toRecord(row)!);
    }
  }

  update(id: string, change: Partial<Omit<FunctionRecord, 'id' | 'count'>>): Promise<FunctionRecord | undefined> {
    return this.#commit.write(() => {
      const record = this.read(id);
      if (record === undefined) return undefined;
      const changed = { ...record, updatedAt: Date.now(), ...change };
      this.#write(changed);
      return changed;
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => {
      this.#definitions.change();
      this.#deleteVersions.run(id);
      return this.#delete.run(id).changes > 0;
    });
  }

  /** The record in the group that is being committed. */
  read(id: string): FunctionRecord | undefined {
    return toRecord(this.#get.get(id));
  }

  /** Sets the function's latest version in the group that is being committed. */
  setLatestVersion(id: string, versionNumber: number): void {
    this.#setLatestVersion.run(versionNumber, Date.now(), id);
  }

  hasRuntime(runtimeId: string): Promise<boolean> {
    return this.#commit.read(() => this.#hasRuntime.get(runtimeId) !== undefined);
  }

  hasPackageDigest(digest: string): Promise<boolean> {
    return this.#commit.read(() => this.#hasDigest.get(digest) !== undefined);
  }

  /** Hot. Raises a function's count by one (or takes one back) in the group that is being committed. */
  countExecution(functionId: string, change: 1 | -1 = 1): void {
    this.#counts.set(functionId, (this.#counts.get(functionId) ?? 0) + change);
  }

  apply(): void {
    if (this.#counts.size === 0) return;
    const nowMs = Date.now();
    for (const [functionId, count] of this.#counts) this.#addCount.run(count, nowMs, functionId);
    this.#counts.clear();
  }

  discard(): void {
    this.#counts.clear();
  }

  #write(record: FunctionRecord): void {
    this.#definitions.change();
    this.#put.run(
      record.id,
      record.projectId,
      record.name,
      record.description,
      record.runtimeId,
      JSON.stringify(record.code),
      record.packageDigest,
      record.entry,
      record.cpuMillicores,
      record.memoryBytes,
      record.timeoutSeconds,
      record.retry === null ? null : JSON.stringify(record.retry),
      record.count,
      record.latestVersion,
      record.createdAt,
      record.updatedAt,
    );
  }
}

function roadOf(filters: readonly Filter[]): Road {
  const ofProject = filters.find(({ field, operator }) => field === 'projectId' && operator === 'eq');
  if (ofProject === undefined) return { index: 'INDEXED BY functions_order', covered: [] };
  return { index: 'INDEXED BY functions_project', covered: [ofProject] };
}

function toRecord(row: FunctionRow | undefined): FunctionRecord | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    description: row.description,
    runtimeId: row.runtime_id,
    code: JSON.parse(row.code) as CodeDocument,
    packageDigest: row.package_digest,
    entry: row.entry,
    cpuMillicores: row.cpu_millicores,
    memoryBytes: row.memory_bytes,
    timeoutSeconds: row.timeout_seconds,
    retry: row.retry === null ? null : (JSON.parse(row.retry) as RetryPolicy),
    count: row.count,
    latestVersion: row.latest_version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

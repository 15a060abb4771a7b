import type { FunctionRecord, VersionRecord, VersionStore } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import type { Definitions } from './definitions.ts';
import type { SqliteFunctions } from './functions.ts';
import type { GroupCommit, GroupPart } from './group-commit.ts';

interface VersionRow {
  function_id: string;
  version_number: number;
  id: string;
  project_id: string;
  description: string | null;
  md5: string;
  package_digest: string;
  entry: string | null;
  cpu_millicores: number;
  memory_bytes: number;
  timeout_seconds: number;
  count: number;
  created_at: number;
  updated_at: number | null;
}

const NAMES = [
  'function_id',
  'version_number',
  'id',
  'project_id',
  'description',
  'md5',
  'package_digest',
  'entry',
  'cpu_millicores',
  'memory_bytes',
  'timeout_seconds',
  'count',
  'created_at',
  'updated_at',
] as const;
const COLUMNS = NAMES.join(', ');

/** Executions of one version that the group being committed inserts. */
interface VersionCount {
  readonly functionId: string;
  readonly versionNumber: number;
  count: number;
}

export class SqliteVersions implements VersionStore, GroupPart {
  readonly #commit: GroupCommit;
  readonly #functions: SqliteFunctions;
  readonly #definitions: Definitions;
  readonly #insert: Statement<Value[]>;
  readonly #get: Statement<[string, number], VersionRow>;
  readonly #list: Statement<[string], VersionRow>;
  readonly #delete: Statement<[string, number]>;
  readonly #addCount: Statement<[number, number, string, number]>;
  readonly #hasMd5: Statement<[string, string], { one: number }>;
  readonly #hasDigest: Statement<[string], { one: number }>;
  /** One update each instead of one a row, as for functions. */
  readonly #counts = new Map<string, VersionCount>();

  constructor(database: Database, commit: GroupCommit, functions: SqliteFunctions, definitions: Definitions) {
    this.#commit = commit;
    this.#functions = functions;
    this.#definitions = definitions;
    commit.addPart(this);
    this.#insert = database.prepare(
      `INSERT INTO function_versions (${COLUMNS}) VALUES (${NAMES.map(() => '?').join(', ')})`,
    );
    const ofVersion = 'function_id = ? AND version_number = ?';
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM function_versions WHERE ${ofVersion}`);
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM function_versions WHERE function_id = ? ORDER BY version_number`,
    );
    this.#delete = database.prepare(`DELETE FROM function_versions WHERE ${ofVersion}`);
    this.#addCount = database.prepare(
      `UPDATE function_versions SET count = count + ?, updated_at = ? WHERE ${ofVersion}`,
    );
    this.#hasMd5 = database.prepare('SELECT 1 AS one FROM function_versions WHERE function_id = ? AND md5 = ? LIMIT 1');
    this.#hasDigest = database.prepare('SELECT 1 AS one FROM function_versions WHERE package_digest = ? LIMIT 1');
  }

  insert(record: VersionRecord): Promise<boolean> {
    return this.#commit.write(() => {
      const { functionId, versionNumber } = record;
      const published = this.#functions.read(functionId);
      if (published === undefined || !isNextOf(published, record)) return false;
      this.#definitions.change();
      this.#write(record);
      this.#functions.setLatestVersion(functionId, versionNumber);
      return true;
    });
  }

  get(functionId: string, versionNumber: number): Promise<VersionRecord | undefined> {
    return this.#commit.read(() => {
      const row = this.#get.get(functionId, versionNumber);
      return row && toRecord(row);
    });
  }

  list(functionId: string): Promise<VersionRecord[]> {
    return this.#commit.read(() => this.#list.all(functionId).map(toRecord));
  }

  delete(functionId: string, versionNumber: number): Promise<boolean> {
    return this.#commit.write(() => {
      this.#definitions.change();
      return this.#delete.run(functionId, versionNumber).changes > 0;
    });
  }

  hasMd5(functionId: string, md5: string): Promise<boolean> {
    return this.#commit.read(() => this.#hasMd5.get(functionId, md5) !== undefined);
  }

  hasPackageDigest(digest: string): Promise<boolean> {
    return this.#commit.read(() => this.#hasDigest.get(digest) !== undefined);
  }

  /** Hot. Raises a version's count by one in the group that is being committed. */
  countExecution(functionId: string, versionNumber: number, change: 1 | -1 = 1): void {
    const key = `${functionId}/${versionNumber}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { functionId, versionNumber, count: change });
    else known.count += change;
  }

  apply(): void {
    if (this.#counts.size === 0) return;
    const nowMs = Date.now();
    for (const { functionId, versionNumber, count } of this.#counts.values()) {
      this.#addCount.run(count, nowMs, functionId, versionNumber);
    }
    this.#counts.clear();
  }

  discard(): void {
    this.#counts.clear();
  }

  #write(record: VersionRecord): void {
    this.#insert.run(
      record.functionId,
      record.versionNumber,
      record.id,
      record.projectId,
      record.description,
      record.md5,
      record.packageDigest,
      record.entry,
      record.cpuMillicores,
      record.memoryBytes,
      record.timeoutSeconds,
      record.count,
      record.createdAt,
      record.updatedAt,
    );
  }
}

function isNextOf(published: FunctionRecord, version: VersionRecord): boolean {
  return (
    published.latestVersion === version.versionNumber - 1 &&
    published.code['md5sum'] === version.md5 &&
    published.packageDigest === version.packageDigest &&
    published.entry === version.entry &&
    published.cpuMillicores === version.cpuMillicores &&
    published.memoryBytes === version.memoryBytes &&
    published.timeoutSeconds === version.timeoutSeconds
  );
}

function toRecord(row: VersionRow): VersionRecord {
  return {
    id: row.id,
    functionId: row.function_id,
    projectId: row.project_id,
    versionNumber: row.version_number,
    description: row.description,
    md5: row.md5,
    packageDigest: row.package_digest,
    entry: row.entry,
    cpuMillicores: row.cpu_millicores,
    memoryBytes: row.memory_bytes,
    timeoutSeconds: row.timeout_seconds,
    count: row.count,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

import { AliasConflict, type AliasChange, type AliasRecord, type AliasStore, type Page } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import type { Definitions } from './definitions.ts';
import { filterSql, inScope, textColumn, type FilterColumns } from './filter.ts';
import type { GroupCommit } from './group-commit.ts';

interface AliasRow {
  id: string;
  project_id: string;
  name: string;
  function_id: string;
  function_version: number;
  description: string | null;
  created_at: number;
  updated_at: number | null;
}

const COLUMNS = 'id, project_id, name, function_id, function_version, description, created_at, updated_at';
const FILTERS: FilterColumns = { projectId: textColumn('project_id') };
const MAX_PAGE_ENDS = 1_000;

export class SqliteAliases implements AliasStore {
  readonly #database: Database;
  readonly #commit: GroupCommit;
  readonly #definitions: Definitions;
  readonly #insert: Statement<Value[]>;
  readonly #update: Statement<[string, number, string | null, number, string]>;
  readonly #delete: Statement<[string]>;
  readonly #getById: Statement<[string], AliasRow>;
  readonly #getByName: Statement<[string, string], AliasRow>;
  readonly #getByTarget: Statement<[string, string, number], AliasRow>;
  readonly #listNamed: Statement<[string, number], AliasRow>;
  readonly #hasFunction: Statement<[string], { one: number }>;
  readonly #hasVersion: Statement<[string, number], { one: number }>;
  /** When the last alias of a page was created, by its id: the next page follows it also if it was deleted since. */
  readonly #pageEnds = new Map<string, number>();

  constructor(database: Database, commit: GroupCommit, definitions: Definitions) {
    this.#database = database;
    this.#commit = commit;
    this.#definitions = definitions;
    this.#insert = database.prepare(`INSERT INTO function_aliases (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#update = database.prepare(
      `UPDATE function_aliases SET function_id = ?, function_version = ?, description = ?, updated_at = ? WHERE id = ?`,
    );
    this.#delete = database.prepare('DELETE FROM function_aliases WHERE id = ?');
    const select = `SELECT ${COLUMNS} FROM function_aliases`;
    this.#getById = database.prepare(`${select} WHERE id = ?`);
    this.#getByName = database.prepare(`${select} WHERE project_id = ? AND name = ?`);
    this.#getByTarget = database.prepare(`${select} WHERE project_id = ? AND function_id = ? AND function_version = ?`);
    this.#listNamed = database.prepare(`${select} WHERE name = ? ORDER BY created_at, id LIMIT ?`);
    const exists = 'SELECT 1 AS one FROM function_aliases WHERE function_id = ?';
    this.#hasFunction = database.prepare(`${exists} LIMIT 1`);
    this.#hasVersion = database.prepare(`${exists} AND function_version = ? LIMIT 1`);
  }

  insert(record: AliasRecord): Promise<AliasConflict | undefined> {
    return this.#commit.write(() => {
      const conflict = this.#conflictOf(record);
      if (conflict !== undefined) return conflict;
      const { id, projectId, name, functionId, functionVersion, description, createdAt, updatedAt } = record;
      this.#definitions.change();
      this.#insert.run(id, projectId, name, functionId, functionVersion, description, createdAt, updatedAt);
      return undefined;
    });
  }

  get(projectId: string, name: string): Promise<AliasRecord | undefined> {
    return this.#commit.read(() => toRecord(this.#getByName.get(projectId, name)));
  }

  listNamed(name: string, limit: number): Promise<AliasRecord[]> {
    return this.#commit.read(() => this.#listNamed.all(name, limit).map((row) => toRecord(row)!));
  }

  list({ scope, filters, after, limit }: Page): Promise<AliasRecord[]> {
    return this.#commit.read(() => {
      const last = after === undefined ? 0 : this.#createdAt(after);
      if (last === undefined) return [];
      const { sql, values } = filterSql(inScope(scope, filters), FILTERS);
      const statement = this.#database.prepare(
        `SELECT ${COLUMNS} FROM function_aliases WHERE ${sql} AND (created_at, id) > (?, ?)
          ORDER BY created_at, id LIMIT ?`,
      );
      const rows = statement.all(...values, last, after ?? '', limit) as AliasRow[];
      if (rows.length === limit && limit > 0) this.#rememberPageEnd(rows.at(-1)!);
      return rows.map((row) => toRecord(row)!);
    });
  }

  update(id: string, change: AliasChange): Promise<AliasRecord | AliasConflict | undefined> {
    return this.#commit.write(() => {
      const record = toRecord(this.#getById.get(id));
      if (record === undefined) return undefined;
      const changed = { ...record, ...change, updatedAt: Date.now() };
      const conflict = this.#conflictOf(changed);
      if (conflict !== undefined) return conflict;
      const { functionId, functionVersion, description, updatedAt } = changed;
      this.#definitions.change();
      this.#update.run(functionId, functionVersion, description, updatedAt, id);
      return changed;
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => {
      this.#definitions.change();
      return this.#delete.run(id).changes > 0;
    });
  }

  hasFunction(functionId: string): Promise<boolean> {
    return this.#commit.read(() => this.#hasFunction.get(functionId) !== undefined);
  }

  hasVersion(functionId: string, versionNumber: number): Promise<boolean> {
    return this.#commit.read(() => this.#hasVersion.get(functionId, versionNumber) !== undefined);
  }

  /** Asked before the write and not left to the indexes: a statement that fails would take its whole group with it. */
  #conflictOf({ id, projectId, name, functionId, functionVersion }: AliasRecord): AliasConflict | undefined {
    const ofName = this.#getByName.get(projectId, name);
    if (ofName !== undefined && ofName.id !== id) return AliasConflict.Name;
    const ofTarget = this.#getByTarget.get(projectId, functionId, functionVersion);
    return ofTarget !== undefined && ofTarget.id !== id ? AliasConflict.Target : undefined;
  }

  #rememberPageEnd({ id, created_at: createdAt }: AliasRow): void {
    this.#pageEnds.delete(id); // so that it becomes the youngest
    this.#pageEnds.set(id, createdAt);
    if (this.#pageEnds.size > MAX_PAGE_ENDS) this.#pageEnds.delete(this.#pageEnds.keys().next().value!);
  }

  #createdAt(id: string): number | undefined {
    return this.#getById.get(id)?.created_at ?? this.#pageEnds.get(id);
  }
}

function toRecord(row: AliasRow | undefined): AliasRecord | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    functionId: row.function_id,
    functionVersion: row.function_version,
    description: row.description,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

import {
  AliasConflict,
  type AliasChange,
  type AliasRecord,
  type AliasStore,
  type Chunks,
  type Filter,
  type Page,
  type Scope,
} from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import type { Definitions } from './definitions.ts';
import { inScope, textColumn } from './filter.ts';
import type { GroupCommit } from './group-commit.ts';
import { KeysetList, type Road } from './keyset-list.ts';

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
/** About what a row holds; its texts are short. */
const ROW_BYTES = 500;

export class SqliteAliases implements AliasStore {
  readonly #commit: GroupCommit;
  readonly #definitions: Definitions;
  readonly #insert: Statement<Value[]>;
  readonly #update: Statement<[string, number, string | null, number, string]>;
  readonly #delete: Statement<[string]>;
  readonly #getById: Statement<[string], AliasRow>;
  readonly #getByName: Statement<[string, string], AliasRow>;
  readonly #getByTarget: Statement<[string, string, number], AliasRow>;
  readonly #list: KeysetList<AliasRow>;
  readonly #listNamed: Statement<[string, number], AliasRow>;
  readonly #hasFunction: Statement<[string], { one: number }>;
  readonly #hasVersion: Statement<[string, number], { one: number }>;

  constructor(database: Database, commit: GroupCommit, definitions: Definitions) {
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
    this.#list = new KeysetList(database, commit, {
      table: 'function_aliases',
      select: `SELECT ${COLUMNS}`,
      order: ['created_at', 'id'],
      start: [-1, ''],
      columns: { projectId: textColumn('project_id') },
      roadOf,
      bytesOf: () => ROW_BYTES,
    });
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

  get(id: string, scope: Scope): Promise<AliasRecord | undefined> {
    return this.#commit.read(() => {
      const record = toRecord(this.#getById.get(id));
      return scope === null || record?.projectId === scope ? record : undefined;
    });
  }

  getNamed(projectId: string, name: string): Promise<AliasRecord | undefined> {
    return this.#commit.read(() => toRecord(this.#getByName.get(projectId, name)));
  }

  listNamed(name: string, limit: number): Promise<AliasRecord[]> {
    return this.#commit.read(() => this.#listNamed.all(name, limit).map((row) => toRecord(row)!));
  }

  async *list({ scope, filters, after, limit }: Page): Chunks<AliasRecord> {
    const place = after === undefined ? undefined : [after.createdAt, after.id];
    for await (const rows of this.#list.read(inScope(scope, filters), place, limit)) {
      yield rows.map((row) => toRecord(row)!);
    }
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
}

function roadOf(filters: readonly Filter[]): Road {
  const ofProject = filters.find(({ field, operator }) => field === 'projectId' && operator === 'eq');
  if (ofProject === undefined) return { index: 'INDEXED BY function_aliases_order', covered: [] };
  return { index: 'INDEXED BY function_aliases_project', covered: [ofProject] };
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

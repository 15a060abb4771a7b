import type { RuntimeRecord, RuntimeStatus, RuntimeStore } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import type { Definitions } from './definitions.ts';
import type { GroupCommit } from './group-commit.ts';

interface RuntimeRow {
  id: string;
  project_id: string;
  name: string | null;
  image: string;
  description: string | null;
  is_public: number;
  is_trusted: number;
  status: string;
  status_reason: string | null;
  created_at: number;
  updated_at: number | null;
}

const COLUMNS =
  'id, project_id, name, image, description, is_public, is_trusted, status, status_reason, created_at, updated_at';

export class SqliteRuntimes implements RuntimeStore {
  readonly #commit: GroupCommit;
  readonly #definitions: Definitions;
  readonly #put: Statement<Value[]>;
  readonly #get: Statement<[string], RuntimeRow>;
  readonly #list: Statement<[string | null, string | null], RuntimeRow>;
  readonly #delete: Statement<[string]>;

  constructor(database: Database, commit: GroupCommit, definitions: Definitions) {
    this.#commit = commit;
    this.#definitions = definitions;
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO runtimes (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM runtimes WHERE id = ?`);
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM runtimes WHERE is_public = 1 OR ? IS NULL OR project_id = ? ORDER BY created_at, id`,
    );
    this.#delete = database.prepare('DELETE FROM runtimes WHERE id = ?');
  }

  insert(record: RuntimeRecord): Promise<void> {
    return this.#commit.write(() => this.#write(record));
  }

  insertFirst(records: readonly RuntimeRecord[]): Promise<boolean> {
    return this.#commit.write(() => {
      if (this.#list.get(null, null) !== undefined) return false;
      for (const record of records) this.#write(record);
      return true;
    });
  }

  get(id: string): Promise<RuntimeRecord | undefined> {
    return this.#commit.read(() => toRecord(this.#get.get(id)));
  }

  list(projectId: string | null): Promise<RuntimeRecord[]> {
    return this.#commit.read(() => this.#list.all(projectId, projectId).map((row) => toRecord(row)!));
  }

  update(id: string, change: Partial<Omit<RuntimeRecord, 'id'>>): Promise<RuntimeRecord | undefined> {
    return this.#commit.write(() => {
      const record = toRecord(this.#get.get(id));
      if (record === undefined) return undefined;
      const changed = { ...record, updatedAt: Date.now(), ...change };
      this.#write(changed);
      return changed;
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => {
      this.#definitions.change();
      return this.#delete.run(id).changes > 0;
    });
  }

  #write(record: RuntimeRecord): void {
    this.#definitions.change();
    this.#put.run(
      record.id,
      record.projectId,
      record.name,
      record.image,
      record.description,
      Number(record.isPublic),
      Number(record.isTrusted),
      record.status,
      record.statusReason,
      record.createdAt,
      record.updatedAt,
    );
  }
}

function toRecord(row: RuntimeRow | undefined): RuntimeRecord | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    image: row.image,
    description: row.description,
    isPublic: row.is_public === 1,
    isTrusted: row.is_trusted === 1,
    status: row.status as RuntimeStatus,
    statusReason: row.status_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

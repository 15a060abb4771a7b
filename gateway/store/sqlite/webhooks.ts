import type { RunReference } from '../job-store.ts';
import type { Chunks, Filter, Page, Scope } from '../store.ts';
import type { WebhookRecord, WebhookStore } from '../webhook-store.ts';
import type { Database, Statement, Value } from './database.ts';
import { inScope, textColumn } from './filter.ts';
import type { GroupCommit } from './group-commit.ts';
import { KeysetList, type Road } from './keyset-list.ts';

interface WebhookRow {
  id: string;
  project_id: string;
  description: string | null;
  function_id: string | null;
  function_version: number | null;
  function_alias: string | null;
  created_at: number;
  updated_at: number | null;
}

const COLUMNS = 'id, project_id, description, function_id, function_version, function_alias, created_at, updated_at';
/** About what the columns of a row take. */
const ROW_BYTES = 500;
const FILTERS = { projectId: textColumn('project_id') };

export class SqliteWebhooks implements WebhookStore {
  readonly #commit: GroupCommit;
  readonly #list: KeysetList<WebhookRow>;
  readonly #put: Statement<Value[]>;
  readonly #get: Statement<[string, Scope, Scope], WebhookRow>;
  readonly #delete: Statement<[string]>;
  readonly #hasOfFunction: Statement<[string, number | null, number | null]>;
  readonly #hasOfAlias: Statement<[string, string]>;

  constructor(database: Database, commit: GroupCommit) {
    this.#commit = commit;
    this.#list = new KeysetList(database, commit, {
      table: 'webhooks',
      select: `SELECT ${COLUMNS}`,
      order: ['created_at', 'id'],
      start: [-1, ''],
      columns: FILTERS,
      roadOf,
      bytesOf: (row) => ROW_BYTES + (row.description?.length ?? 0),
    });
    this.#put = database.prepare(`INSERT OR REPLACE INTO webhooks (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM webhooks WHERE id = ? AND (? IS NULL OR project_id = ?)`);
    this.#delete = database.prepare('DELETE FROM webhooks WHERE id = ?');
    this.#hasOfFunction = database.prepare(
      'SELECT 1 FROM webhooks WHERE function_id = ? AND (? IS NULL OR function_version = ?) LIMIT 1',
    );
    this.#hasOfAlias = database.prepare('SELECT 1 FROM webhooks WHERE project_id = ? AND function_alias = ? LIMIT 1');
  }

  insert(record: WebhookRecord): Promise<void> {
    return this.#commit.write(() => this.#write(record));
  }

  get(id: string, scope: Scope): Promise<WebhookRecord | undefined> {
    return this.#commit.read(() => toRecord(this.#get.get(id, scope, scope)));
  }

  async *list({ scope, filters, after, limit }: Page): Chunks<WebhookRecord> {
    const place = after === undefined ? undefined : [after.createdAt, after.id];
    for await (const rows of this.#list.read(inScope(scope, filters), place, limit)) {
      yield rows.map((row) => toRecord(row)!);
    }
  }

  update(id: string, change: Partial<Omit<WebhookRecord, 'id' | 'projectId'>>): Promise<WebhookRecord | undefined> {
    return this.#commit.write(() => {
      const record = toRecord(this.#get.get(id, null, null));
      if (record === undefined) return undefined;
      const changed = { ...record, updatedAt: Date.now(), ...change };
      this.#write(changed);
      return changed;
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#commit.write(() => this.#delete.run(id).changes > 0);
  }

  has(reference: RunReference): Promise<boolean> {
    return this.#commit.read(() => {
      if ('functionAlias' in reference) {
        return this.#hasOfAlias.get(reference.projectId, reference.functionAlias) !== undefined;
      }
      const { functionId, functionVersion = null } = reference;
      return this.#hasOfFunction.get(functionId, functionVersion, functionVersion) !== undefined;
    });
  }

  #write(record: WebhookRecord): void {
    this.#put.run(
      record.id,
      record.projectId,
      record.description,
      record.functionId,
      record.functionVersion,
      record.functionAlias,
      record.createdAt,
      record.updatedAt,
    );
  }
}

/** A project's own have an index in the order of the list. */
function roadOf(filters: readonly Filter[]): Road {
  const ofProject = filters.find(({ field, operator }) => field === 'projectId' && operator === 'eq');
  if (ofProject === undefined) return { index: 'INDEXED BY webhooks_order', covered: [] };
  return { index: 'INDEXED BY webhooks_project_order', covered: [ofProject] };
}

function toRecord(row: WebhookRow | undefined): WebhookRecord | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    projectId: row.project_id,
    description: row.description,
    functionId: row.function_id,
    functionVersion: row.function_version,
    functionAlias: row.function_alias,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

import type { RunReference } from '../job-store.ts';
import type { Page, Scope } from '../store.ts';
import type { WebhookRecord, WebhookStore } from '../webhook-store.ts';
import { CreatedOrder } from './created-order.ts';
import type { Database, Statement, Value } from './database.ts';
import { textColumn } from './filter.ts';
import type { GroupCommit } from './group-commit.ts';

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
const FILTERS = { projectId: textColumn('project_id') };

export class SqliteWebhooks implements WebhookStore {
  readonly #commit: GroupCommit;
  readonly #order: CreatedOrder<WebhookRow>;
  readonly #put: Statement<Value[]>;
  readonly #get: Statement<[string, Scope, Scope], WebhookRow>;
  readonly #delete: Statement<[string]>;
  readonly #hasOfFunction: Statement<[string, number | null, number | null]>;
  readonly #hasOfAlias: Statement<[string, string]>;

  constructor(database: Database, commit: GroupCommit) {
    this.#commit = commit;
    this.#order = new CreatedOrder(database, 'webhooks', COLUMNS, FILTERS);
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

  list(page: Page): Promise<WebhookRecord[]> {
    return this.#commit.read(() => this.#order.page(page).map((row) => toRecord(row)!));
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

import type { IdempotencyKey, TakenKey } from '../idempotency-key.ts';
import type { ExecutionRecord, TimeMs } from '../store.ts';
import type { Database, Statement } from './database.ts';
import type { Names } from './names.ts';

interface KeyRow {
  execution_id: string;
  fingerprint: string;
}

/** The statements of idempotency keys; all that write are run inside a transaction of the caller. */
export class SqliteIdempotencyKeys {
  readonly #names: Names;
  readonly #find: Statement<[number, string, number], KeyRow>;
  readonly #take: Statement<[number, string, string, string, number]>;
  readonly #giveBack: Statement<[number, string, string]>;
  readonly #prune: Statement<[number, number]>;

  constructor(database: Database, names: Names) {
    this.#names = names;
    this.#find = database.prepare(
      `SELECT execution_id, fingerprint FROM idempotency_keys WHERE project = ? AND text = ? AND taken_at >= ?`,
    );
    this.#take = database.prepare(
      `INSERT OR REPLACE INTO idempotency_keys (project, text, fingerprint, execution_id, taken_at)
        VALUES (?, ?, ?, ?, ?)`,
    );
    this.#giveBack = database.prepare(
      'DELETE FROM idempotency_keys WHERE project = ? AND text = ? AND execution_id = ?',
    );
    this.#prune = database.prepare(
      `DELETE FROM idempotency_keys WHERE (project, text) IN
        (SELECT project, text FROM idempotency_keys WHERE taken_at < ? ORDER BY taken_at LIMIT ?)`,
    );
  }

  find(projectId: string, text: string, takenSince: TimeMs): TakenKey | undefined {
    const project = this.#names.find(projectId);
    const row = project === undefined ? undefined : this.#find.get(project, text, takenSince);
    return row && { executionId: row.execution_id, fingerprint: row.fingerprint };
  }

  /** One that was taken long ago is replaced. */
  take({ id, projectId, createdAt }: ExecutionRecord, { text, fingerprint }: IdempotencyKey): void {
    this.#take.run(this.#names.numberOf(projectId), text, fingerprint, id, createdAt);
  }

  giveBack({ id, projectId }: ExecutionRecord, { text }: IdempotencyKey): void {
    this.#giveBack.run(this.#names.numberOf(projectId), text, id);
  }

  prune(takenBefore: TimeMs, limit: number): number {
    return this.#prune.run(takenBefore, limit).changes;
  }
}

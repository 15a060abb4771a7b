import { GATEWAY_NUMBERS } from '../../execution-id.ts';
import type { GatewayRecord, GatewayStore } from '../gateway-store.ts';
import type { Database, Statement } from './database.ts';
import type { GroupCommit } from './group-commit.ts';

interface GatewayRow {
  id: string;
  renewals: number | null;
}

/**
 * The gateways that are known, and whoever looks after running executions. The owners of those are found by steps through
 * the index: there are few of them, and many executions.
 */
const OTHERS = `WITH RECURSIVE owners (owner) AS (
    SELECT min(gateway) FROM executions WHERE status = 0
    UNION
    SELECT (SELECT min(gateway) FROM executions WHERE status = 0 AND gateway > owner) FROM owners WHERE owner IS NOT NULL
  )
  SELECT id, renewals
    FROM (SELECT id FROM gateways UNION SELECT text FROM names WHERE number IN (SELECT owner FROM owners))
    LEFT JOIN gateways USING (id) WHERE id != ?`;

export class SqliteGateways implements GatewayStore {
  readonly #commit: GroupCommit;
  readonly #ownId: string;
  readonly #renew: Statement<[number, string]>;
  readonly #insert: Statement<[string, number, number]>;
  readonly #number: Statement<[string], { number: number }>;
  readonly #numbers: Statement<[], { number: number }>;
  readonly #others: Statement<[string], GatewayRow>;
  readonly #remove: Statement<[string, number]>;

  constructor(database: Database, commit: GroupCommit, ownId: string) {
    this.#commit = commit;
    this.#ownId = ownId;
    this.#renew = database.prepare('UPDATE gateways SET renewals = renewals + 1, renewed_at = ? WHERE id = ?');
    this.#insert = database.prepare('INSERT INTO gateways (id, number, renewals, renewed_at) VALUES (?, ?, 0, ?)');
    this.#number = database.prepare('SELECT number FROM gateways WHERE id = ?');
    this.#numbers = database.prepare('SELECT number FROM gateways');
    this.#others = database.prepare(OTHERS);
    this.#remove = database.prepare('DELETE FROM gateways WHERE id = ? AND renewals = ?');
  }

  async renew(): Promise<number> {
    const number = await this.#commit.write(() => this.#renewNow());
    if (number === undefined) throw new Error(`${GATEWAY_NUMBERS} gateways use this database: no more can`);
    return number;
  }

  listOthers(): Promise<GatewayRecord[]> {
    return this.#commit.read(() =>
      this.#others.all(this.#ownId).map(({ id, renewals }) => ({ id, renewals: renewals ?? undefined })),
    );
  }

  async remove({ id, renewals }: GatewayRecord): Promise<void> {
    if (renewals !== undefined) await this.#commit.write(() => this.#remove.run(id, renewals));
  }

  #renewNow(): number | undefined {
    const nowMs = Date.now();
    const isKnown = this.#renew.run(nowMs, this.#ownId).changes > 0;
    if (isKnown) return this.#number.get(this.#ownId)!.number;
    const taken = new Set(this.#numbers.all().map(({ number }) => number));
    const free = Array.from({ length: GATEWAY_NUMBERS }, (_, number) => number).filter((number) => !taken.has(number));
    // any of them: a gateway that was forgotten and comes to life again will hardly find its number in other hands
    const number = free[Math.floor(Math.random() * free.length)];
    if (number !== undefined) this.#insert.run(this.#ownId, number, nowMs);
    return number;
  }
}

import type { Page } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import { filterSql, inScope, type FilterColumns } from './filter.ts';

/** Ends of pages whose place in the order is kept, should their record be deleted before the next page is asked for. */
const MAX_PAGE_ENDS = 1_000;

interface Placed {
  readonly id: string;
  readonly created_at: number;
}

/** Pages of a table's rows in the order of their creation (created, then id). For reads of a group commit. */
export class CreatedOrder<Row extends Placed> {
  readonly #database: Database;
  readonly #select: string;
  readonly #filters: FilterColumns;
  readonly #createdAt: Statement<[string], { created_at: number }>;
  readonly #pageEnds = new Map<string, number>();

  constructor(database: Database, table: string, columns: string, filters: FilterColumns) {
    this.#database = database;
    this.#select = `SELECT ${columns} FROM ${table} WHERE`;
    this.#filters = filters;
    this.#createdAt = database.prepare(`SELECT created_at FROM ${table} WHERE id = ?`);
  }

  page({ scope, filters, after, limit }: Page): Row[] {
    const afterMs = after === undefined ? 0 : (this.#createdAt.get(after)?.created_at ?? this.#pageEnds.get(after));
    if (afterMs === undefined) return [];
    const { sql, values } = filterSql(inScope(scope, filters), this.#filters);
    const statement = this.#database.prepare<Value[], Row>(
      `${this.#select} ${sql} AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`,
    );
    const rows = statement.all(...values, afterMs, after ?? '', limit);
    const last = rows.at(-1);
    if (last !== undefined && rows.length === limit) this.#remember(last);
    return rows;
  }

  #remember({ id, created_at: createdAt }: Row): void {
    this.#pageEnds.delete(id); // so that it becomes the youngest
    this.#pageEnds.set(id, createdAt);
    if (this.#pageEnds.size > MAX_PAGE_ENDS) this.#pageEnds.delete(this.#pageEnds.keys().next().value!);
  }
}

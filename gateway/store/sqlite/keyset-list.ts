import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Filter } from '../store.ts';
import type { Database, Statement, Value } from './database.ts';
import { filterSql, type FilterColumns } from './filter.ts';
import type { GroupCommit } from './group-commit.ts';

/** Most rows that one statement looks at, and so one turn: it stops the gateway for milliseconds. */
export const WINDOW_ROWS = 2_000;
/** Most rows of a chunk. */
export const CHUNK_ROWS = 200;
/** A chunk ends with the row that makes it as large as this. */
export const CHUNK_BYTES = 256 * 1024;

/** The rows that a list goes through, in its order, to find those that its filters let through. */
export interface Road {
  /** `INDEXED BY …` or `NOT INDEXED`: the planner's choice would not be bounded. */
  readonly index: string;
  /** The filters that the index answers, all of them with one value: what is on the road. */
  readonly covered: readonly Filter[];
  /** What else is true of all rows of the road. */
  readonly condition?: string;
}

/** How the rows of a table are listed. */
export interface ListedTable<Row> {
  readonly table: string;
  /** The query's beginning, without its FROM. */
  readonly select: string;
  /** The columns of the order, which are among those selected; no two rows have the same values. */
  readonly order: readonly string[];
  /** Values of the order before every row. */
  readonly start: readonly Value[];
  readonly columns: FilterColumns;
  readonly roadOf: (filters: readonly Filter[]) => Road;
  /** About how many bytes a row holds. */
  readonly bytesOf: (row: Row) => number;
}

interface Query<Row> {
  /** The last place of the road's next window; undefined where every row of the road is let through. */
  readonly windowEnd: Statement<Value[], Record<string, Value>> | undefined;
  readonly rows: Statement<Value[], Row>;
  readonly roadValues: readonly Value[];
  readonly otherValues: readonly Value[];
}

interface Step<Row> {
  readonly rows: Row[];
  /** Where the next step begins; undefined at the end of the road. */
  readonly end: readonly Value[] | undefined;
}

/**
 * Lists of one table, chunk by chunk, by where the last one ended (never by a count of rows to skip). Where an index
 * answers all filters, every row that is looked at is one of the list. Else the road is gone in windows of so many rows:
 *
 *   road   |···x····|·x······|········|····x··x|        x: let through
 *           window 1  window 2 …                         one statement, one turn each
 */
export class KeysetList<Row extends object> {
  readonly #database: Database;
  readonly #commit: GroupCommit;
  readonly #table: ListedTable<Row>;

  constructor(database: Database, commit: GroupCommit, table: ListedTable<Row>) {
    this.#database = database;
    this.#commit = commit;
    this.#table = table;
  }

  /** `after`: values of the order. */
  async *read(
    filters: readonly Filter[],
    after: readonly Value[] | undefined,
    limit = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<Row[], void> {
    let left = limit;
    let place = after ?? this.#table.start;
    const query = await this.#commit.read(() => this.#prepare(filters));
    while (query !== undefined && left > 0) {
      const from = place;
      const { rows, end } = await this.#commit.read(() => this.#step(query, from, Math.min(left, CHUNK_ROWS)));
      if (rows.length > 0) yield rows;
      if (end === undefined) return;
      place = end;
      left -= rows.length;
      await nextTurn();
    }
  }

  /** Undefined where no row can be let through. */
  #prepare(filters: readonly Filter[]): Query<Row> | undefined {
    const { table, select, order, columns, roadOf } = this.#table;
    const road = roadOf(filters);
    const others = filters.filter((filter) => !road.covered.includes(filter));
    const onRoad = filterSql(road.covered, columns);
    const other = filterSql(others, columns);
    if (onRoad === undefined || other === undefined) return undefined;
    const names = order.join(', ');
    const marks = order.map(() => '?').join(', ');
    const from = `FROM ${table} ${road.index} WHERE ${onRoad.sql} AND ${road.condition ?? '1'}`;
    const isWindowed = others.length > 0;
    const until = isWindowed ? `AND (${names}) <= (${marks}) AND ${other.sql}` : '';
    const after = `AND (${names}) > (${marks})`;
    const last = order.map((name) => `${name} DESC`).join(', ');
    const windowSql = `SELECT ${names} FROM (SELECT ${names} ${from} ${after} ORDER BY ${names} LIMIT ${WINDOW_ROWS})
      ORDER BY ${last} LIMIT 1`;
    return {
      windowEnd: isWindowed ? this.#database.prepare(windowSql) : undefined,
      rows: this.#database.prepare(`${select} ${from} ${after} ${until} ORDER BY ${names} LIMIT ?`),
      roadValues: onRoad.values,
      otherValues: other.values,
    };
  }

  #step({ windowEnd, rows, roadValues, otherValues }: Query<Row>, place: readonly Value[], limit: number): Step<Row> {
    const from = [...roadValues, ...place];
    if (windowEnd === undefined) return this.#take(rows.iterate(...from, limit), limit, undefined);
    const last = windowEnd.get(...from);
    if (last === undefined) return { rows: [], end: undefined };
    const end = this.#table.order.map((name) => last[name]!);
    return this.#take(rows.iterate(...from, ...end, ...otherValues, limit), limit, end);
  }

  /** `end`: where the step ends if all rows were taken. */
  #take(rows: Iterable<Row>, limit: number, end: readonly Value[] | undefined): Step<Row> {
    const { order, bytesOf } = this.#table;
    const taken: Row[] = [];
    let bytes = 0;
    for (const row of rows) {
      taken.push(row);
      bytes += bytesOf(row);
      if (taken.length < limit && bytes < CHUNK_BYTES) continue;
      return { rows: taken, end: order.map((name) => (row as Record<string, Value>)[name]!) };
    }
    return { rows: taken, end };
  }
}

import { join } from 'node:path';
import { ExecutionIds } from '../gateway/execution-id.ts';
import { openSqliteStore } from '../gateway/store/sqlite/sqlite-store.ts';
import type { Store } from '../gateway/store/store.ts';
import { makeFolder } from '../test/support/server.ts';
import { finalRecord, functionRecord } from '../test/support/store-records.ts';
import type { CleanUp } from './clean-up.ts';
import { alternate, spreadOf, type RoundOptions, type Subject } from './harness.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Row } from './table.ts';

const ROUNDS: RoundOptions = { warmUpSeconds: 0.3, rounds: 5, roundSeconds: 1 };
const SHORT_ROUNDS: RoundOptions = { warmUpSeconds: 0.1, rounds: 2, roundSeconds: 0.25 };
/** Executions that are recorded in one turn of the event loop, and so in one transaction. */
const BATCHES = [1, 4, 16, 64, 256, 1024];
const MANY_FUNCTIONS = 100_000;
const GROUP = 10_000;

/** A store; executions are of all its functions in turn, each of which counts its own. */
interface Kind {
  readonly name: string;
  readonly synchronous: 'normal' | 'full';
  readonly functions: number;
}

const KINDS: readonly Kind[] = [
  { name: 'normal', synchronous: 'normal', functions: 1 },
  { name: 'full', synchronous: 'full', functions: 1 },
  { name: `normal, ${MANY_FUNCTIONS} functions`, synchronous: 'normal', functions: MANY_FUNCTIONS },
];

interface Rate {
  readonly rowsPerSecond: number;
  readonly commitMicros: number;
}

export const records: Question = {
  name: 'records',
  help: 'Records of executions: rows a second by how many share a commit, `database.synchronous` normal and full, many functions.',
  asked: Asked.Always,
  duration: '2 minutes',
  shortDuration: '8 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const options = isShort ? SHORT_ROUNDS : ROUNDS;
    const stores: OpenStore[] = [];
    for (const kind of KINDS) stores.push(await openStore(cleanUp, kind));
    const measured: { batch: number; rounds: Rate[][] }[] = [];
    for (const batch of BATCHES) {
      const subjects = KINDS.map(({ name }, at): Subject<Rate> => {
        return { name, measure: (seconds) => insertFor(stores[at]!, batch, seconds) };
      });
      measured.push({ batch, rounds: await alternate(subjects, options) });
    }
    const rows = measured.map(({ batch, rounds }): Row => {
      const spreads = (valueOf: (rate: Rate) => number) => rounds.map((own) => spreadOf(own.map(valueOf)));
      return {
        name: `${batch} a commit`,
        cells: [...spreads(({ rowsPerSecond }) => rowsPerSecond), ...spreads(({ commitMicros }) => commitMicros)],
      };
    });
    const columns = [
      ...KINDS.map(({ name }) => ({ name: `${name}: rows/s`, digits: 0, isDrawn: true })),
      ...KINDS.map(({ name }) => ({ name: `${name}: µs a commit`, digits: 0 })),
    ];
    const title = `records: median (min–max) of ${options.rounds} rounds of ${options.roundSeconds} s`;
    return { tables: [{ title, columns, rows }], details: measured };
  },
};

interface OpenStore {
  readonly store: Store;
  readonly functionIds: readonly string[];
  /** One maker: its ids may be ahead of the clock. */
  readonly ids: ExecutionIds;
  next: number;
}

async function openStore(cleanUp: CleanUp, { synchronous, functions }: Kind): Promise<OpenStore> {
  const path = join(makeFolder(cleanUp).path, 'qinling.sqlite');
  const store = await openSqliteStore({ path, synchronous });
  cleanUp.after(() => store.close());
  const functionIds: string[] = [];
  while (functionIds.length < functions) {
    const records = Array.from({ length: Math.min(GROUP, functions) }, () => functionRecord());
    await Promise.all(records.map((record) => store.functions.insert(record)));
    functionIds.push(...records.map(({ id }) => id));
  }
  return { store, functionIds, ids: new ExecutionIds(), next: 0 };
}

/** Records batch after batch; each is durable before the next one is made. */
async function insertFor(open: OpenStore, batch: number, seconds: number): Promise<Rate> {
  const { store, functionIds, ids } = open;
  const template = finalRecord();
  const begunAtMs = performance.now();
  const endAtMs = begunAtMs + seconds * 1000;
  let commits = 0;
  for (; performance.now() < endAtMs; commits++) {
    const inserts: Promise<void>[] = [];
    for (let index = 0; index < batch; index++) {
      const createdAt = Date.now();
      const functionId = functionIds[open.next++ % functionIds.length]!;
      inserts.push(store.executions.insert({ ...template, id: ids.next(createdAt), functionId, createdAt }, null));
    }
    await Promise.all(inserts);
  }
  const elapsedMs = performance.now() - begunAtMs;
  return { rowsPerSecond: (commits * batch) / (elapsedMs / 1000), commitMicros: (elapsedMs * 1000) / commits };
}

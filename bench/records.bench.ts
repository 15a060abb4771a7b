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
const SETTINGS = ['normal', 'full'] as const;

interface Rate {
  readonly rowsPerSecond: number;
  readonly commitMicros: number;
}

export const records: Question = {
  name: 'records',
  help: 'Records of executions: rows a second by how many share a commit, `database.synchronous` normal and full.',
  asked: Asked.Always,
  duration: '65 s',
  shortDuration: '8 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const options = isShort ? SHORT_ROUNDS : ROUNDS;
    const stores = await Promise.all(SETTINGS.map((setting) => openStore(cleanUp, setting)));
    const measured: { batch: number; rounds: Rate[][] }[] = [];
    for (const batch of BATCHES) {
      const subjects = SETTINGS.map((name, at): Subject<Rate> => {
        return { name, measure: (seconds) => insertFor(stores[at]!, batch, seconds) };
      });
      measured.push({ batch, rounds: await alternate(subjects, options) });
    }
    const rows = measured.map(({ batch, rounds }): Row => {
      const spread = (at: number, valueOf: (rate: Rate) => number) => spreadOf(rounds[at]!.map(valueOf));
      return {
        name: `${batch} a commit`,
        cells: [
          spread(0, ({ rowsPerSecond }) => rowsPerSecond),
          spread(1, ({ rowsPerSecond }) => rowsPerSecond),
          spread(0, ({ commitMicros }) => commitMicros),
          spread(1, ({ commitMicros }) => commitMicros),
        ],
      };
    });
    const columns = [
      { name: 'normal: rows/s', digits: 0, isDrawn: true },
      { name: 'full: rows/s', digits: 0, isDrawn: true },
      { name: 'normal: µs a commit', digits: 0 },
      { name: 'full: µs a commit', digits: 0 },
    ];
    const title = `records: median (min–max) of ${options.rounds} rounds of ${options.roundSeconds} s`;
    return { tables: [{ title, columns, rows }], details: measured };
  },
};

interface OpenStore {
  readonly store: Store;
  readonly functionId: string;
  /** One maker: its ids may be ahead of the clock. */
  readonly ids: ExecutionIds;
}

async function openStore(cleanUp: CleanUp, synchronous: 'normal' | 'full'): Promise<OpenStore> {
  const path = join(makeFolder(cleanUp).path, 'qinling.sqlite');
  const store = await openSqliteStore({ path, synchronous });
  cleanUp.after(() => store.close());
  const record = functionRecord();
  await store.functions.insert(record);
  return { store, functionId: record.id, ids: new ExecutionIds() };
}

/** Records batch after batch; each is durable before the next one is made. */
async function insertFor({ store, functionId, ids }: OpenStore, batch: number, seconds: number): Promise<Rate> {
  const template = finalRecord({ functionId });
  const begunAtMs = performance.now();
  const endAtMs = begunAtMs + seconds * 1000;
  let commits = 0;
  for (; performance.now() < endAtMs; commits++) {
    const inserts: Promise<void>[] = [];
    for (let index = 0; index < batch; index++) {
      const createdAt = Date.now();
      inserts.push(store.executions.insert({ ...template, id: ids.next(createdAt), createdAt }, null));
    }
    await Promise.all(inserts);
  }
  const elapsedMs = performance.now() - begunAtMs;
  return { rowsPerSecond: (commits * batch) / (elapsedMs / 1000), commitMicros: (elapsedMs * 1000) / commits };
}

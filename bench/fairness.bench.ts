import type { CleanUp } from './clean-up.ts';
import { alternate, spreadOf, type RoundOptions, type Subject } from './harness.ts';
import { LANGUAGES, callBody } from './hello.ts';
import { runLoad, type LoadResult } from './load.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Goal, Row, Table } from './table.ts';

const ROUNDS: RoundOptions = { warmUpSeconds: 1, rounds: 5, roundSeconds: 3 };
const SHORT_ROUNDS: RoundOptions = { warmUpSeconds: 0, rounds: 1, roundSeconds: 1 };
/** How long functions take, as sleep: what is left is ours. */
const SHORT_CALL_MS = 1;
const LONG_CALL_MS = 200;
const DURATIONS_MS = [SHORT_CALL_MS, 20, LONG_CALL_MS];
/** Of the load on each function: all of them have a process to run in. */
const CONNECTIONS = 8;
/** Times the p99 that a short function has without the long one beside it. */
const MOST_RATIO = 2;

const SLEEPING: Readonly<Record<string, (ms: number) => Record<string, string>>> = {
  python3: (ms) => ({
    'main.py': `import time\n\ndef main(**kwargs):\n    time.sleep(${ms / 1000})\n    return 'done'\n`,
  }),
  nodejs: (ms) => ({
    'main.js': `exports.main = () => new Promise((resolve) => setTimeout(resolve, ${ms}, 'done'));\n`,
  }),
};

/** A language's functions, by how long they take. */
interface Functions {
  readonly language: string;
  readonly ids: ReadonlyMap<number, string>;
}

export const fairness: Question = {
  name: 'fairness',
  help: 'Functions of 1 ms, 20 ms and 200 ms; one of 1 ms alone and beside one of 200 ms.',
  asked: Asked.Always,
  duration: '2.5 minutes',
  shortDuration: '10 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const options = isShort ? SHORT_ROUNDS : ROUNDS;
    const { product, functions } = await openFunctions(cleanUp);
    const alone = functions.flatMap(({ language, ids }) =>
      DURATIONS_MS.map((ms) => subject(product, `${language}, ${ms} ms`, ids.get(ms)!)),
    );
    const beside = functions.map(({ language, ids }) => besideLong(product, language, ids));
    const rounds = await alternate([...alone, ...beside], options);
    await product.checkThatAllSucceeded();
    const aloneRounds = rounds.slice(0, alone.length);
    const besideRounds = rounds.slice(alone.length);
    const compared = functions.map(({ language }, at) => {
      const own = aloneRounds[at * DURATIONS_MS.length]!; // that of SHORT_CALL_MS
      const with200 = besideRounds[at]!;
      const ratios = with200.map(({ p99Ms }, round) => p99Ms / own[round]!.p99Ms);
      return { language, own, with200, ratio: spreadOf(ratios) };
    });
    return {
      tables: [aloneTable(alone, aloneRounds, options), besideTable(compared, options)],
      goals: compared.map(({ language, ratio }): Goal => {
        const name = `${language}, p99 of ${SHORT_CALL_MS} ms beside ${LONG_CALL_MS} ms, times that alone`;
        return { name, value: ratio.median, digits: 2, bound: MOST_RATIO, is: 'at most' };
      }),
      details: { subjects: [...alone, ...beside].map(({ name }) => name), rounds },
    };
  },
};

async function openFunctions(cleanUp: CleanUp) {
  const product = await Product.start(cleanUp);
  await product.untilRuntimesAreUp(LANGUAGES);
  const functions: Functions[] = [];
  for (const language of LANGUAGES) {
    const ids = new Map<number, string>();
    for (const ms of DURATIONS_MS) {
      const { id } = await product.createFunction({ runtime: language, files: SLEEPING[language]!(ms) });
      await product.api.execute(id);
      ids.set(ms, id);
    }
    functions.push({ language, ids });
  }
  return { product, functions };
}

function load(product: Product, functionId: string, durationSeconds: number): Promise<LoadResult> {
  const body = callBody(functionId, {});
  return runLoad({ url: product.executionsUrl, body, connections: CONNECTIONS, durationSeconds });
}

function subject(product: Product, name: string, functionId: string): Subject<LoadResult> {
  return { name, measure: (durationSeconds) => load(product, functionId, durationSeconds) };
}

function besideLong(product: Product, language: string, ids: ReadonlyMap<number, string>): Subject<LoadResult> {
  return {
    name: `${language}, ${SHORT_CALL_MS} ms beside ${LONG_CALL_MS} ms`,
    measure: async (durationSeconds) => {
      const long = load(product, ids.get(LONG_CALL_MS)!, durationSeconds);
      const [short] = await Promise.all([load(product, ids.get(SHORT_CALL_MS)!, durationSeconds), long]);
      return short;
    },
  };
}

function aloneTable(
  subjects: readonly Subject<LoadResult>[],
  rounds: readonly LoadResult[][],
  { rounds: count, roundSeconds }: RoundOptions,
): Table {
  return {
    title: `fairness, ${CONNECTIONS} connections: median (min–max) of ${count} rounds of ${roundSeconds} s`,
    columns: [
      { name: 'calls/s', digits: 0 },
      { name: 'p50 ms', digits: 2, isDrawn: true },
      { name: 'p99 ms', digits: 2, isDrawn: true },
    ],
    rows: subjects.map(({ name }, at): Row => {
      const own = rounds[at]!;
      const spread = (valueOf: (round: LoadResult) => number) => spreadOf(own.map(valueOf));
      const { requestsPerSecond, p50Ms, p99Ms } = {
        requestsPerSecond: spread((round) => round.requestsPerSecond),
        p50Ms: spread((round) => round.p50Ms),
        p99Ms: spread((round) => round.p99Ms),
      };
      return { name, cells: [requestsPerSecond, p50Ms, p99Ms] };
    }),
  };
}

interface Compared {
  readonly language: string;
  readonly own: readonly LoadResult[];
  readonly with200: readonly LoadResult[];
  readonly ratio: ReturnType<typeof spreadOf>;
}

function besideTable(compared: readonly Compared[], { rounds, roundSeconds }: RoundOptions): Table {
  return {
    title: `fairness, a function of ${SHORT_CALL_MS} ms, alone and beside one of ${LONG_CALL_MS} ms: median (min–max) of ${rounds} rounds of ${roundSeconds} s`,
    columns: [
      { name: 'p99 ms alone', digits: 2, isDrawn: true },
      { name: 'p99 ms beside', digits: 2, isDrawn: true },
      { name: 'ratio', digits: 2 },
    ],
    rows: compared.map(({ language, own, with200, ratio }) => ({
      name: language,
      cells: [spreadOf(own.map(({ p99Ms }) => p99Ms)), spreadOf(with200.map(({ p99Ms }) => p99Ms)), ratio],
    })),
  };
}

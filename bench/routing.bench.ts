import { makeFolder } from '../test/support/server.ts';
import type { CleanUp } from './clean-up.ts';
import { fillStore } from './filled-store.ts';
import { alternate, spreadOf, type RoundOptions, type Subject } from './harness.ts';
import { callBody } from './hello.ts';
import { runLoad, type LoadResult } from './load.ts';
import type { Observation } from './probe.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import { SimulatedProduct } from './simulated-product.ts';
import type { Goal, Row, Table } from './table.ts';
import { Zipf, seededRandom, shuffle } from './zipf.ts';

interface Size extends RoundOptions {
  /** How many functions are known, in one product each. */
  readonly functions: readonly number[];
  readonly executions: number;
  readonly starts: number;
}

const SIZE: Size = {
  functions: [10, 1_000, 100_000],
  executions: 1_000_000,
  starts: 5,
  warmUpSeconds: 2,
  rounds: 5,
  roundSeconds: 3,
};
const SHORT_SIZE: Size = {
  functions: [10, 1_000],
  executions: 10_000,
  starts: 1,
  warmUpSeconds: 1,
  rounds: 2,
  roundSeconds: 1,
};
/** The calls go to so many agents, whatever the number of functions: what goes to one at the same time is cheaper. */
const AGENTS = 100;
/** A worker for each function and some more, so that the road to it is measured and not the change of workers. */
const WORKERS_A_FUNCTION = 1.02;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 3;
const CALLS = 200_000;
const SEED = 20_170_214;
const KIB = 1024;
const MIB = 1024 * KIB;
const LEAST_RATIO = 0.95;
const MOST_KIB = 2;
const MOST_START_SECONDS = 2;

/** A product, its memory when one of its functions was called, and when all were, and then its rounds. */
interface Measured {
  readonly functions: number;
  readonly before: Observation;
  readonly after: Observation;
  readonly rounds: readonly LoadResult[];
}

export const routing: Question = {
  name: 'routing',
  help: `Calls of ${SIZE.functions.at(-1)} functions beside those of few, by Zipf's law; memory of each; start with many records.`,
  asked: Asked.NotShort,
  duration: '2 minutes, and 1 GB of memory',
  shortDuration: '25 s',
  run: async ({ isShort, cleanUp, print }: QuestionOptions) => {
    const size = isShort ? SHORT_SIZE : SIZE;
    const measured = await measureCalls(cleanUp, size, print);
    const starts = await measureStarts(cleanUp, size, print);
    return {
      tables: [callTable(measured, size), startTable(starts, size)],
      goals: isShort ? [] : goalsOf(measured, starts),
      details: { size, measured, starts },
    };
  },
};

async function measureCalls(cleanUp: CleanUp, size: Size, print: (text: string) => void): Promise<Measured[]> {
  const opened = [];
  for (const functions of size.functions) {
    print(`${functions} functions: a product with ${AGENTS} simulated agents`);
    const workersEach = Math.ceil((functions * WORKERS_A_FUNCTION) / AGENTS);
    const simulated = await SimulatedProduct.start(cleanUp, { functions, agents: AGENTS, workersEach });
    await spread(simulated, AGENTS * workersEach);
    await callFor(simulated, [0], WARM_UP_SECONDS); // what calls themselves take is not the functions'
    const before = await simulated.observer.observeCollected();
    await callEach(simulated);
    opened.push({ functions, simulated, before, after: await simulated.observer.observeCollected() });
  }
  const subjects = opened.map(({ functions, simulated }) => subjectOf(functions, simulated));
  const rounds = await alternate(subjects, size);
  for (const { simulated } of opened) {
    await simulated.product.checkThatAllSucceeded();
    await simulated.stop(); // they would wake up beside what comes next
  }
  return opened.map(({ functions, before, after }, at) => ({ functions, before, after, rounds: rounds[at]! }));
}

/** Gives functions all the workers that there are: a few functions would else use a few of the agents only. */
async function spread({ product, functionIds }: SimulatedProduct, workers: number): Promise<void> {
  const each = Math.floor(workers / functionIds.length);
  if (each === 1) return;
  for (const id of functionIds) {
    const { status, text } = await product.api.request('POST', `/v1/functions/${id}/scale_up`, { count: each });
    if (status !== 202) throw new Error(text);
    const hasAll = (answer: object) => (answer as { workers: unknown[] }).workers.length === each;
    await product.api.until(`/v1/functions/${id}/workers`, hasAll);
  }
}

/** Calls every function at least once. */
async function callEach(simulated: SimulatedProduct): Promise<void> {
  const { length } = simulated.functionIds;
  for (let called = 0; called < length;) {
    const order = Array.from({ length }, (_, at) => (called + at) % length);
    called += (await callFor(simulated, order, 1)).requests; // in order; those not answered in time are called again
  }
}

/** Calls functions, by their places, in this order and from its begin again. */
function callFor(
  { product, functionIds }: SimulatedProduct,
  order: readonly number[],
  durationSeconds: number,
): Promise<LoadResult> {
  const body = { bodies: functionIds.map((id) => callBody(id)), order };
  return runLoad({ url: product.executionsUrl, body, connections: CONNECTIONS, durationSeconds });
}

function subjectOf(functions: number, simulated: SimulatedProduct): Subject<LoadResult> {
  const random = seededRandom(SEED);
  const places = shuffle(
    Array.from({ length: functions }, (_, place) => place),
    random,
  ); // so that those called often are not all on the agents that came first
  const zipf = new Zipf(functions, 1, random);
  const order = Array.from({ length: CALLS }, () => places[zipf.next()]!);
  return { name: String(functions), measure: (durationSeconds) => callFor(simulated, order, durationSeconds) };
}

interface Starts {
  readonly name: string;
  readonly seconds: readonly number[];
}

/** How long the product as users start it takes until it listens: without records, and with many. */
async function measureStarts(
  cleanUp: CleanUp,
  { functions, executions, starts }: Size,
  print: (text: string) => void,
): Promise<Starts[]> {
  const [empty, full] = [makeFolder(cleanUp).path, makeFolder(cleanUp).path];
  const many = functions.at(-1)!;
  print(`a store with ${many} functions and ${executions} executions`);
  await fillStore(full, { runtime: 'python3', functions: many, executions });
  const subjects = [
    { name: 'no records', folder: empty },
    { name: `${many} functions, ${executions} executions`, folder: full },
  ].map(({ name, folder }): Subject<number> => {
    return { name, measure: () => measureStart(cleanUp, folder) };
  });
  const rounds = await alternate(subjects, { warmUpSeconds: 1, rounds: starts, roundSeconds: 1 });
  return subjects.map(({ name }, at) => ({ name, seconds: rounds[at]! }));
}

async function measureStart(cleanUp: CleanUp, folder: string): Promise<number> {
  const product = await Product.start(cleanUp, {}, folder);
  await product.api.get('/v1/runtimes'); // it is there for others now, and for the signal that ends it
  await product.stop();
  return product.startMs / 1000;
}

function callTable(measured: readonly Measured[], { rounds, roundSeconds }: Size): Table {
  return {
    title: `routing, ${CONNECTIONS} connections, simulated agents: median (min–max) of ${rounds} rounds of ${roundSeconds} s`,
    columns: [
      { name: 'calls/s', digits: 0, isDrawn: true },
      { name: `of those with ${measured[0]!.functions}`, digits: 3 },
      { name: 'p99 ms', digits: 2, isDrawn: true },
      { name: 'RSS with one called, MiB', digits: 0 },
      { name: 'RSS when each was called, MiB', digits: 0 },
      { name: 'more RSS a function, KiB', digits: 2 },
      { name: 'more heap a function, KiB', digits: 2 },
    ],
    rows: measured.map(({ functions, before, after, rounds: own }): Row => {
      const isMany = functions >= 1_000; // the memory of few is lost in that of the calls
      return {
        name: `${functions} functions`,
        cells: [
          spreadOf(own.map(({ requestsPerSecond }) => requestsPerSecond)),
          ratioOf(measured, own),
          spreadOf(own.map(({ p99Ms }) => p99Ms)),
          before.rssBytes / MIB,
          after.rssBytes / MIB,
          isMany ? (after.rssBytes - before.rssBytes) / functions / KIB : null,
          isMany ? (after.heapBytes - before.heapBytes) / functions / KIB : null,
        ],
      };
    }),
  };
}

/** Throughput as a share of that with fewest functions, each within a round. */
function ratioOf(measured: readonly Measured[], rounds: readonly LoadResult[]) {
  const few = measured[0]!.rounds;
  return spreadOf(rounds.map(({ requestsPerSecond }, at) => requestsPerSecond / few[at]!.requestsPerSecond));
}

function startTable(starts: readonly Starts[], { starts: count }: Size): Table {
  return {
    title: `routing, from the start of the process until it listens: median (min–max) of ${count}`,
    columns: [{ name: 's', digits: 2, isDrawn: true }],
    rows: starts.map(({ name, seconds }) => ({ name, cells: [spreadOf(seconds)] })),
  };
}

function goalsOf(measured: readonly Measured[], starts: readonly Starts[]): Goal[] {
  const { functions, before, after, rounds } = measured.at(-1)!;
  const kib = (after.rssBytes - before.rssBytes) / functions / KIB;
  const start = spreadOf(starts.at(-1)!.seconds).median;
  return [
    {
      name: `${functions} functions, throughput of that with few`,
      value: ratioOf(measured, rounds).median,
      digits: 3,
      bound: LEAST_RATIO,
      is: 'at least',
    },
    {
      name: 'KiB for each function that is not called any more',
      value: kib,
      digits: 2,
      bound: MOST_KIB,
      is: 'at most',
    },
    { name: 's until it listens', value: start, digits: 2, bound: MOST_START_SECONDS, is: 'at most' },
  ];
}

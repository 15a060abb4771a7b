import type { CleanUp } from './clean-up.ts';
import { startEcho } from './echo.ts';
import { alternate, spreadOf, type RoundOptions, type Subject } from './harness.ts';
import { LANGUAGES, callBody } from './hello.ts';
import { runLoad, type LoadResult } from './load.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Goal, Table } from './table.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const MB = 1_000_000;
const MEMORY_BYTES = 256 * MIB;
const LEAST_MB = 200;

/** What is sent and comes back, by so many connections. */
interface Level extends RoundOptions {
  readonly name: string;
  readonly bytes: number;
  readonly connections: number;
}

const LEVELS: readonly Level[] = [
  { name: '10 KiB', bytes: 10 * KIB, connections: 16, warmUpSeconds: 1, rounds: 5, roundSeconds: 2 },
  { name: '1 MiB', bytes: MIB, connections: 4, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 }, // seconds fill the disk
];
const SHORT: RoundOptions = { warmUpSeconds: 0, rounds: 1, roundSeconds: 1 };

/** Gives back what it gets. */
const ECHO: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  python3: { 'main.py': 'def main(**kwargs):\n    return kwargs\n' },
  nodejs: { 'main.js': 'exports.main = (context, input) => input;\n' },
};

export const bodies: Question = {
  name: 'bodies',
  help: '10 KiB and 1 MiB through a function that gives back what it gets.',
  asked: Asked.Always,
  duration: '75 s, and some GB of disk while it runs',
  shortDuration: '8 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const tables: Table[] = [];
    const goals: Goal[] = [];
    const details: unknown[] = [];
    const { product, ids } = await openFunctions(cleanUp);
    const echoUrl = await startEcho(cleanUp, 0);
    for (const level of LEVELS) {
      const subjects = subjectsAt(product, ids, echoUrl, level);
      const rounds = await alternate(subjects, isShort ? SHORT : level);
      const perSecond = subjects.map(({ name }, at) => ({ name, spread: spreadOf(rounds[at]!.map(payloadOf(level))) }));
      tables.push(tableOf(level, subjects, rounds, isShort ? SHORT : level));
      if (level.bytes === MIB) goals.push(...perSecond.filter(({ name }) => name !== 'echo').map(goalOf));
      details.push({ level, subjects: subjects.map(({ name }) => name), rounds });
    }
    await product.checkThatAllSucceeded();
    return { tables, goals, details };
  },
};

async function openFunctions(cleanUp: CleanUp) {
  const product = await Product.start(cleanUp);
  await product.untilRuntimesAreUp(LANGUAGES);
  const ids: Record<string, string> = {};
  for (const runtime of LANGUAGES) {
    const { id } = await product.createFunction({ runtime, files: ECHO[runtime]!, memorySize: MEMORY_BYTES });
    ids[runtime] = id;
  }
  return { product, ids };
}

function subjectsAt(
  product: Product,
  ids: Readonly<Record<string, string>>,
  echoUrl: string,
  { bytes, connections }: Level,
): Subject<LoadResult>[] {
  const bodyOf = (functionId: string) => callBody(functionId, { data: 'x'.repeat(bytes) });
  const subject = (name: string, url: string, body: string): Subject<LoadResult> => {
    return { name, measure: (durationSeconds) => runLoad({ url, body, connections, durationSeconds }) };
  };
  const functions = Object.entries(ids).map(([name, id]) => subject(name, product.executionsUrl, bodyOf(id)));
  return [...functions, subject('echo', echoUrl, bodyOf(Object.values(ids)[0]!))];
}

/** What goes into the function and comes out of it; the answer has it a second and a third time, which is not counted. */
function payloadOf({ bytes }: Level): (round: LoadResult) => number {
  return ({ requestsPerSecond }) => (requestsPerSecond * bytes * 2) / MB;
}

function tableOf(
  level: Level,
  subjects: readonly Subject<LoadResult>[],
  rounds: readonly LoadResult[][],
  { rounds: count, roundSeconds }: RoundOptions,
): Table {
  return {
    title: `bodies, ${level.name}, ${level.connections} connections: median (min–max) of ${count} rounds of ${roundSeconds} s`,
    columns: [
      { name: 'MB/s in and out', digits: 0, isDrawn: true },
      { name: 'MB/s answered', digits: 0 },
      { name: 'calls/s', digits: 0 },
      { name: 'p99 ms', digits: 1, isDrawn: true },
    ],
    rows: subjects.map(({ name }, at) => ({
      name,
      cells: [
        spreadOf(rounds[at]!.map(payloadOf(level))),
        spreadOf(
          rounds[at]!.map(({ bytes, requests, requestsPerSecond }) => ((bytes / requests) * requestsPerSecond) / MB),
        ),
        spreadOf(rounds[at]!.map(({ requestsPerSecond }) => requestsPerSecond)),
        spreadOf(rounds[at]!.map(({ p99Ms }) => p99Ms)),
      ],
    })),
  };
}

function goalOf({ name, spread }: { name: string; spread: { median: number } }): Goal {
  return { name: `${name}, 1 MiB, MB/s in and out`, value: spread.median, digits: 0, bound: LEAST_MB, is: 'at least' };
}

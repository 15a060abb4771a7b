import type { CleanUp } from './clean-up.ts';
import { startEcho } from './echo.ts';
import { alternate, spreadOf, type RoundOptions, type Subject } from './harness.ts';
import { LANGUAGES, callBody, callHello, createHello } from './hello.ts';
import { runLoad, type LoadResult } from './load.ts';
import { openPeers } from './peers.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Goal, Row, Table } from './table.ts';

/** Connections of the load generator, and the rounds at each. */
interface Level extends RoundOptions {
  readonly connections: number;
}

const LEVELS: readonly Level[] = [
  { connections: 64, warmUpSeconds: 2, rounds: 5, roundSeconds: 3 },
  { connections: 256, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 },
  { connections: 16, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 },
  { connections: 1, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 },
];
const SHORT_LEVELS: readonly Level[] = [{ connections: 64, warmUpSeconds: 1, rounds: 2, roundSeconds: 1 }];
const ECHO = 'echo';
/** Of which the goals speak. */
const GOAL_CONNECTIONS = 64;
const LEAST_SHARE_OF_ECHO = 0.55;
/** How many times as fast as these. */
const LEAST_TIMES: Readonly<Record<string, number>> = { workerd: 2, 'functions-framework': 3, 'Flask, gunicorn': 4 };

interface Target {
  readonly name: string;
  readonly url: string;
  readonly body: string;
}

/** A subject's rounds; undefined where requests failed. */
interface Measured {
  readonly name: string;
  readonly rounds: readonly (LoadResult | undefined)[];
}

export const warmInvoke: Question = {
  name: 'warm-invoke',
  help: 'Calls of loaded functions: throughput and latency, beside bare uWebSockets.js and other servers.',
  asked: Asked.Always,
  duration: '5 minutes; the first time the other servers are installed',
  shortDuration: '10 s, without the other servers',
  run: async ({ isShort, cleanUp, print }: QuestionOptions) => {
    const { product, targets, answerBytes } = await startProduct(cleanUp);
    const echo = { name: ECHO, url: await startEcho(cleanUp, answerBytes), body: targets[0]!.body };
    const { peers, remarks } = isShort ? { peers: [], remarks: [] } : await openPeers(cleanUp, answerBytes, print);
    const all = [...targets, echo, ...peers.map((peer) => ({ ...peer, body: echo.body }))];
    const levels = [];
    const failures: string[] = [];
    for (const level of isShort ? SHORT_LEVELS : LEVELS) {
      const subjects = all.map((target) => subjectOf(target, level.connections, failures));
      const rounds = await alternate(subjects, level);
      levels.push({ level, measured: subjects.map(({ name }, at) => ({ name, rounds: rounds[at]! })) });
    }
    await product.checkThatAllSucceeded();
    return {
      tables: levels.map(({ level, measured }) => tableOf(level, measured)),
      goals: levels.flatMap(({ level, measured }) => (level.connections === GOAL_CONNECTIONS ? goalsOf(measured) : [])),
      remarks: [...remarks, ...new Set(failures)],
      details: { answerBytes, levels },
    };
  },
};

/** The functions, loaded. */
async function startProduct(cleanUp: CleanUp) {
  const product = await Product.start(cleanUp);
  await product.untilRuntimesAreUp(LANGUAGES);
  const targets: Target[] = [];
  let answerBytes = 0;
  for (const language of LANGUAGES) {
    const { id } = await createHello(product, language);
    answerBytes = Buffer.byteLength(JSON.stringify(await callHello(product, id)));
    targets.push({ name: language, url: product.executionsUrl, body: callBody(id) });
  }
  return { product, targets, answerBytes };
}

/** Where requests of a peer fail, it has no number; where ours do, there is no answer. */
function subjectOf(
  { name, url, body }: Target,
  connections: number,
  failures: string[],
): Subject<LoadResult | undefined> {
  const isOurs = name === ECHO || LANGUAGES.includes(name);
  const measure = async (durationSeconds: number) => {
    try {
      return await runLoad({ url, body, connections, durationSeconds });
    } catch (error) {
      if (isOurs) throw error;
      failures.push(`${name} at ${connections} connections: ${(error as Error).message}`);
      return undefined;
    }
  };
  return { name, measure };
}

/** Shares of the echo server's throughput, each within a round. */
function sharesOf(measured: readonly Measured[], name: string, ofName: string): number[] {
  const roundsOf = (wanted: string) => measured.find((subject) => subject.name === wanted)?.rounds ?? [];
  const others = roundsOf(ofName);
  return roundsOf(name).flatMap((round, at) => {
    const other = others[at];
    return round === undefined || other === undefined ? [] : [round.requestsPerSecond / other.requestsPerSecond];
  });
}

function tableOf({ connections, rounds, roundSeconds }: Level, measured: readonly Measured[]): Table {
  return {
    title: `warm-invoke, ${connections} ${connections === 1 ? 'connection' : 'connections'}: median (min–max) of ${rounds} rounds of ${roundSeconds} s`,
    columns: [
      { name: 'calls/s', digits: 0, isDrawn: true },
      { name: 'p50 ms', digits: 2 },
      { name: 'p99 ms', digits: 2, isDrawn: true },
      { name: 'of echo', digits: 2 },
    ],
    rows: measured.map((subject) => rowOf(subject, sharesOf(measured, subject.name, ECHO))),
  };
}

function rowOf({ name, rounds }: Measured, sharesOfEcho: readonly number[]): Row {
  const good = rounds.filter((round) => round !== undefined);
  if (good.length < rounds.length) return { name, cells: ['requests failed'] };
  const spread = (valueOf: (round: LoadResult) => number) => spreadOf(good.map(valueOf));
  return {
    name,
    cells: [
      spread(({ requestsPerSecond }) => requestsPerSecond),
      spread(({ p50Ms }) => p50Ms),
      spread(({ p99Ms }) => p99Ms),
      spreadOf(sharesOfEcho),
    ],
  };
}

function goalsOf(measured: readonly Measured[]): Goal[] {
  return LANGUAGES.flatMap((language) => {
    const times = (other: string) => sharesOf(measured, language, other);
    const goal = (other: string, bound: number): Goal[] => {
      const values = times(other);
      if (values.length === 0) return [];
      const name = `${language} at ${GOAL_CONNECTIONS} connections, times ${other}`;
      return [{ name, value: spreadOf(values).median, digits: 2, bound, is: 'at least' }];
    };
    const ofPeers = Object.entries(LEAST_TIMES).flatMap(([peer, bound]) => goal(peer, bound));
    return [...goal(ECHO, LEAST_SHARE_OF_ECHO), ...ofPeers];
  });
}

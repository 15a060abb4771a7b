import type { CleanUp } from './clean-up.ts';
import {
  alternate,
  formatSpread,
  formatTable,
  spreadOf,
  type RoundOptions,
  type Spread,
  type Subject,
} from './harness.ts';
import { runLoad, type LoadResult } from './load.ts';
import type { Question, QuestionOptions } from './question.ts';
import { LANGUAGES, Product, callBody, startEcho } from './subjects.ts';

/** Connections of the load generator, and the rounds at each. */
interface Level extends RoundOptions {
  readonly connections: number;
}

const LEVELS: readonly Level[] = [
  { connections: 64, warmUpSeconds: 2, rounds: 5, roundSeconds: 3 },
  { connections: 16, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 },
  { connections: 1, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 },
];
const SHORT_LEVELS: readonly Level[] = [{ connections: 64, warmUpSeconds: 1, rounds: 5, roundSeconds: 1 }];

interface SubjectReport {
  readonly name: string;
  readonly requestsPerSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  /** Throughput, as a share of the echo server's in the same round. */
  readonly shareOfEcho: Spread;
  readonly rounds: readonly LoadResult[];
}

export const warmInvoke: Question = {
  name: 'warm-invoke',
  help: 'Calls of loaded functions over HTTP: throughput and latency, beside a bare uWebSockets.js echo server.',
  run: async ({ isShort, cleanUp, print }: QuestionOptions) => {
    const { product, subjectsAt, answerBytes } = await startSubjects(cleanUp);
    const levels = [];
    for (const level of isShort ? SHORT_LEVELS : LEVELS) {
      const subjects = subjectsAt(level.connections);
      const report = reportOf(subjects, await alternate(subjects, level));
      print(format(level, report));
      levels.push({ ...level, subjects: report });
    }
    await product.checkThatAllSucceeded();
    return { answerBytes, levels };
  },
};

/** The functions, loaded, and last the echo server. */
async function startSubjects(cleanUp: CleanUp) {
  const product = await Product.start(cleanUp);
  await product.untilRuntimesAreUp();
  const targets: { name: string; url: string; body: string }[] = [];
  let answerBytes = 0;
  for (const language of LANGUAGES) {
    const { id } = await product.createHello(language);
    answerBytes = Buffer.byteLength(JSON.stringify(await product.callHello(id)));
    targets.push({ name: language, url: product.executionsUrl, body: callBody(id) });
  }
  const echoUrl = await startEcho(cleanUp, answerBytes);
  targets.push({ name: 'echo', url: echoUrl, body: targets[0]!.body });
  const subjectsAt = (connections: number): Subject<LoadResult>[] =>
    targets.map(({ name, url, body }) => ({
      name,
      measure: (durationSeconds) => runLoad({ url, body, connections, durationSeconds }),
    }));
  return { product, subjectsAt, answerBytes };
}

function reportOf(subjects: readonly Subject<LoadResult>[], rounds: readonly LoadResult[][]): SubjectReport[] {
  const echo = rounds.at(-1)!;
  return subjects.map(({ name }, index) => {
    const own = rounds[index]!;
    return {
      name,
      requestsPerSecond: spreadOf(own.map((round) => round.requestsPerSecond)),
      p50Ms: spreadOf(own.map((round) => round.p50Ms)),
      p99Ms: spreadOf(own.map((round) => round.p99Ms)),
      shareOfEcho: spreadOf(own.map((round, at) => round.requestsPerSecond / echo[at]!.requestsPerSecond)),
      rounds: own,
    };
  });
}

function format({ connections, rounds, roundSeconds }: Level, reports: readonly SubjectReport[]): string {
  const rows = reports.map(({ name, requestsPerSecond, p50Ms, p99Ms, shareOfEcho }) => [
    name,
    formatSpread(requestsPerSecond, 0),
    formatSpread(p50Ms, 2),
    formatSpread(p99Ms, 2),
    formatSpread(shareOfEcho, 2),
  ]);
  const title = `warm-invoke, ${connections} connections, ${rounds} rounds of ${roundSeconds} s: median (min–max)\n`;
  return title + formatTable([['', 'calls/s', 'p50 ms', 'p99 ms', 'of echo'], ...rows]);
}

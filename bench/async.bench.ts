import { setTimeout as sleep } from 'node:timers/promises';
import type { Resource } from '../test/support/api.ts';
import { startEcho } from './echo.ts';
import { alternate, spreadOf, type RoundOptions, type Subject } from './harness.ts';
import { INPUT, LANGUAGES, callHello, createHello } from './hello.ts';
import { runLoad, type LoadResult } from './load.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Goal, Row } from './table.ts';

const ROUNDS: RoundOptions = { warmUpSeconds: 1, rounds: 5, roundSeconds: 2 };
const SHORT_ROUNDS: RoundOptions = { warmUpSeconds: 0, rounds: 1, roundSeconds: 1 };
const CONNECTIONS = 64;
const POLL_MS = 10;
const LEAST_SHARE = 0.5;

interface Accepted extends LoadResult {
  /** From the first accepted to the last one run. */
  readonly drainedPerSecond: number;
  /** From the last accepted to the last one run. */
  readonly afterMs: number;
}

export const asynchronous: Question = {
  name: 'async',
  help: 'Asynchronous executions: accepted, which is durable, and run, beside bare uWebSockets.js.',
  asked: Asked.Always,
  duration: '2 minutes',
  shortDuration: '9 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const options = isShort ? SHORT_ROUNDS : ROUNDS;
    const product = await Product.start(cleanUp);
    await product.untilRuntimesAreUp(LANGUAGES);
    const subjects: Subject<Accepted | LoadResult>[] = [];
    let answerBytes = 0;
    let body = '';
    for (const language of LANGUAGES) {
      const { id } = await createHello(product, language);
      await callHello(product, id);
      body = JSON.stringify({ function_id: id, sync: false, input: JSON.stringify(INPUT) });
      const executionId = await product.api.executeLater(id, INPUT);
      const execution = await product.api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
      answerBytes = Buffer.byteLength(JSON.stringify({ ...execution, status: 'running', result: null, output: null }));
      subjects.push(accepting(product, language, body));
    }
    const url = await startEcho(cleanUp, answerBytes);
    const echoed = body;
    const measure = (durationSeconds: number) =>
      runLoad({ url, body: echoed, connections: CONNECTIONS, durationSeconds });
    subjects.push({ name: 'echo', measure });
    const rounds = await alternate(subjects, options);
    await product.checkThatAllSucceeded();
    const shares = rounds.map((own) =>
      spreadOf(own.map((round, at) => round.requestsPerSecond / rounds.at(-1)![at]!.requestsPerSecond)),
    );
    const rows = subjects.map(({ name }, at): Row => {
      const own = rounds[at]!;
      const accepted = own.filter((round) => 'drainedPerSecond' in round);
      return {
        name,
        cells: [
          spreadOf(own.map((round) => round.requestsPerSecond)),
          shares[at]!,
          spreadOf(own.map(({ p99Ms }) => p99Ms)),
          accepted.length === 0 ? null : spreadOf(accepted.map(({ drainedPerSecond }) => drainedPerSecond)),
          accepted.length === 0 ? null : spreadOf(accepted.map(({ afterMs }) => afterMs / 1000)),
        ],
      };
    });
    const columns = [
      { name: 'accepted/s', digits: 0, isDrawn: true },
      { name: 'of echo', digits: 2 },
      { name: 'p99 ms', digits: 2 },
      { name: 'run/s, from the first accepted to the last run', digits: 0, isDrawn: true },
      { name: 'all run after the last accepted, s', digits: 2 },
    ];
    const title = `async, ${CONNECTIONS} connections: median (min–max) of ${options.rounds} rounds of ${options.roundSeconds} s`;
    const goals = LANGUAGES.map((name, at): Goal => {
      return {
        name: `${name}, accepted, of echo`,
        value: shares[at]!.median,
        digits: 2,
        bound: LEAST_SHARE,
        is: 'at least',
      };
    });
    return { tables: [{ title, columns, rows }], goals, details: { answerBytes, rounds } };
  },
};

/** A round is over when all that it accepted was run. */
function accepting(product: Product, name: string, body: string): Subject<Accepted> {
  return {
    name,
    measure: async (durationSeconds) => {
      const begunAtMs = performance.now();
      const load = await runLoad({ url: product.executionsUrl, body, connections: CONNECTIONS, durationSeconds });
      const acceptedAtMs = performance.now();
      await untilAllWereRun(product);
      const endedAtMs = performance.now();
      const drainedPerSecond = load.requests / ((endedAtMs - begunAtMs) / 1000);
      return { ...load, drainedPerSecond, afterMs: endedAtMs - acceptedAtMs };
    },
  };
}

async function untilAllWereRun({ api }: Product): Promise<void> {
  for (;;) {
    const { executions } = await api.get<{ executions: Resource[] }>('/v1/executions?status=running&limit=1');
    if (executions.length === 0) return;
    await sleep(POLL_MS);
  }
}

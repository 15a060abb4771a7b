import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CleanUp } from './clean-up.ts';
import type { DirectCalls } from './direct-calls.ts';
import { startEcho } from './echo.ts';
import { alternate, spreadOf, type Subject } from './harness.ts';
import { LANGUAGES, callBody, callHello, createHello } from './hello.ts';
import { runLoad } from './load.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Goal, Row } from './table.ts';

const DIRECT_CALLS = fileURLToPath(new URL('./direct-calls.js', import.meta.url));
const ROUNDS = { warmUpSeconds: 1, rounds: 7, roundSeconds: 2 };
const SHORT_ROUNDS = { warmUpSeconds: 0, rounds: 2, roundSeconds: 1 };
const MOST_ADDED_MS = 0.25;

interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export const addedLatency: Question = {
  name: 'added-latency',
  help: 'What gateway and agent add to a call of the language host over its own socket, one call at a time.',
  asked: Asked.Always,
  duration: '75 s',
  shortDuration: '12 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const options = isShort ? SHORT_ROUNDS : ROUNDS;
    const subjects = await openSubjects(cleanUp);
    const rounds = await alternate(subjects, options);
    const roundsOf = (name: string) => rounds[subjects.findIndex((subject) => subject.name === name)]!;
    const added = LANGUAGES.map((language) => {
      const direct = roundsOf(directName(language));
      const values = roundsOf(language).map(({ p50Ms }, at) => p50Ms - direct[at]!.p50Ms);
      return { language, spread: spreadOf(values) };
    });
    const rows = subjects.map(({ name }, at): Row => {
      const latencies = rounds[at]!;
      const ownAdded = added.find(({ language }) => language === name)?.spread ?? null;
      return {
        name,
        cells: [spreadOf(latencies.map(({ p50Ms }) => p50Ms)), spreadOf(latencies.map(({ p99Ms }) => p99Ms)), ownAdded],
      };
    });
    const columns = [
      { name: 'p50 ms', digits: 3, isDrawn: true },
      { name: 'p99 ms', digits: 3 },
      { name: 'added to p50, ms', digits: 3 },
    ];
    const title = `added-latency, 1 connection: median (min–max) of ${options.rounds} rounds of ${options.roundSeconds} s`;
    const goals = added.map(({ language, spread }): Goal => {
      return {
        name: `${language}, ms added to p50`,
        value: spread.median,
        digits: 3,
        bound: MOST_ADDED_MS,
        is: 'at most',
      };
    });
    return {
      tables: [{ title, columns, rows }],
      goals,
      details: { subjects: subjects.map(({ name }) => name), rounds },
    };
  },
};

async function openSubjects(cleanUp: CleanUp): Promise<Subject<Latency>[]> {
  const product = await Product.start(cleanUp);
  await product.untilRuntimesAreUp(LANGUAGES);
  const subjects: Subject<Latency>[] = [];
  let answerBytes = 0;
  let body = '';
  for (const language of LANGUAGES) {
    const { id } = await createHello(product, language);
    answerBytes = Buffer.byteLength(JSON.stringify(await callHello(product, id)));
    body = callBody(id);
    subjects.push(overHttp(language, product.executionsUrl, body), await openDirect(cleanUp, language));
  }
  return [...subjects, overHttp('echo', await startEcho(cleanUp, answerBytes), body)];
}

function overHttp(name: string, url: string, body: string): Subject<Latency> {
  return { name, measure: (durationSeconds) => runLoad({ url, body, connections: 1, durationSeconds }) };
}

function directName(language: string): string {
  return `${language}, its host alone`;
}

async function openDirect(cleanUp: CleanUp, language: string): Promise<Subject<Latency>> {
  const child = fork(DIRECT_CALLS, [language]);
  const ended = once(child, 'exit');
  cleanUp.after(async () => {
    if (child.connected) child.disconnect();
    await ended;
  });
  const next = async () => {
    const [answer] = (await Promise.race([once(child, 'message'), ended])) as [unknown];
    if (child.exitCode !== null) throw new Error(`the direct calls of ${language} ended: ${child.exitCode}`);
    return answer;
  };
  await next();
  return {
    name: directName(language),
    measure: async (durationSeconds) => {
      child.send(durationSeconds);
      return (await next()) as DirectCalls;
    },
  };
}

import { Api } from '../test/support/api.ts';
import { zipOf } from '../test/support/zip.ts';
import { FilledProduct } from './filled-product.ts';
import { percentile, spreadOf, type Spread } from './harness.ts';
import { HttpClient, formBody, jsonBody, type Body } from './http-client.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Table } from './table.ts';

const FEW = 1_000;
const MANY = 100_000;
const ROUNDS = 5;
const REQUESTS = 400;
const SHORT_REQUESTS = 30;
const WARM_UPS = 30;
const FILES = { 'main.py': "def main(**kwargs):\n    return 'done'\n" };

/** Something that is asked of both products in turn; `run` resolves with how long the answer took, in milliseconds. */
interface Step {
  readonly name: string;
  readonly run: (subject: Subject) => Promise<number>;
}

/** A product, and what is asked of it. */
interface Subject {
  readonly product: FilledProduct;
  readonly client: HttpClient;
  /** A new function, and the call of one. */
  readonly functionBody: Body;
  readonly callBody: Body;
}

interface Report {
  readonly name: string;
  readonly few: Spread;
  readonly many: Spread;
  readonly p50Few: number;
  readonly p50Many: number;
  /** The p99 of many rows, as a multiple of that of few. */
  readonly ratio: number;
}

export const lists: Question = {
  name: 'lists',
  help: `Pages of lists and creates with ${FEW} records and with ${MANY}, in turn: is it flat?`,
  asked: Asked.Always,
  duration: '60 s',
  shortDuration: '15 s',
  run: async (options: QuestionOptions) => {
    const subjects = [await openSubject(options, FEW), await openSubject(options, MANY)];
    const reports: Report[] = [];
    for (const step of STEPS) reports.push(await measure(step, subjects, options.isShort));
    return { tables: [tableOf(reports)], details: { few: FEW, many: MANY, reports } };
  },
};

const STEPS: readonly Step[] = [
  page('functions, first page', () => '/v1/functions?limit=100'),
  page(
    'functions, a page in the middle',
    ({ product }) => `/v1/functions?limit=100&marker=${product.middle.functionId}`,
  ),
  page('executions, first page', () => '/v1/executions?limit=100'),
  page(
    'executions, a page in the middle',
    ({ product }) => `/v1/executions?limit=100&marker=${product.middle.executionId}`,
  ),
  page('executions, function_id', ({ product }) => `/v1/executions?limit=100&function_id=${product.functionId}`),
  page('executions, status=neq:success', () => '/v1/executions?limit=100&status=neq:success'),
  page('executions, description=has:', () => '/v1/executions?limit=100&description=has:Job'),
  page('execution by id', ({ product }) => `/v1/executions/${product.middle.executionId}`),
  create('create a function', '/v1/functions', ({ functionBody }) => functionBody),
  create('create an execution (warm call)', '/v1/executions', ({ callBody }) => callBody),
];

function page(name: string, pathOf: (subject: Subject) => string): Step {
  return {
    name,
    run: async (subject) => {
      const url = subject.product.url + pathOf(subject);
      const begunAtMs = performance.now();
      await subject.client.ask('GET', url, 200);
      return performance.now() - begunAtMs;
    },
  };
}

/** What was created is deleted at once: the number of records stays. */
function create(name: string, path: string, bodyOf: (subject: Subject) => Body): Step {
  return {
    name,
    run: async (subject) => {
      const url = subject.product.url + path;
      const begunAtMs = performance.now();
      const answer = await subject.client.ask('POST', url, 201, bodyOf(subject));
      const durationMs = performance.now() - begunAtMs;
      const { id } = JSON.parse(answer.toString()) as { id: string };
      await subject.client.ask('DELETE', `${url}/${id}`, 204);
      return durationMs;
    },
  };
}

async function openSubject({ cleanUp }: QuestionOptions, rows: number): Promise<Subject> {
  const product = await FilledProduct.start(cleanUp, rows);
  const client = new HttpClient();
  cleanUp.after(() => client.close());
  const api = new Api(product.url);
  const runtimeId = await api.findRuntime('python3');
  if (runtimeId === undefined) throw new Error('no runtime python3 on this machine');
  const { id } = await api.createFunction({ files: FILES, cpu: 4000 });
  await api.execute(id);
  return {
    product,
    client,
    functionBody: await formBody({ runtime_id: runtimeId, code: '{"source": "package"}', package: zipOf(FILES) }),
    callBody: jsonBody({ function_id: id }),
  };
}

async function measure({ name, run }: Step, subjects: readonly Subject[], isShort: boolean): Promise<Report> {
  for (let index = 0; index < WARM_UPS; index++) for (const subject of subjects) await run(subject);
  const rounds: number[][][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const latencies: number[][] = subjects.map(() => []);
    for (let index = 0; index < (isShort ? SHORT_REQUESTS : REQUESTS); index++) {
      for (const [at, subject] of subjects.entries()) latencies[at]!.push(await run(subject));
    }
    rounds.push(latencies);
  }
  const p99Of = (at: number) => spreadOf(rounds.map((latencies) => percentile(latencies[at]!, 0.99)));
  const p50Of = (at: number) => spreadOf(rounds.map((latencies) => percentile(latencies[at]!, 0.5))).median;
  const [few, many] = [p99Of(0), p99Of(1)];
  return { name, few, many, p50Few: p50Of(0), p50Many: p50Of(1), ratio: many.median / few.median };
}

function tableOf(reports: readonly Report[]): Table {
  return {
    title: `lists, ${FEW} records and ${MANY}, in turn: median (min–max) of ${ROUNDS} rounds`,
    columns: [
      { name: `p50 ms, ${FEW}`, digits: 2, isDrawn: true },
      { name: `p50 ms, ${MANY}`, digits: 2, isDrawn: true },
      { name: `p99 ms, ${FEW}`, digits: 2 },
      { name: `p99 ms, ${MANY}`, digits: 2 },
      { name: 'p99 ratio', digits: 2 },
    ],
    rows: reports.map(({ name, few, many, p50Few, p50Many, ratio }) => {
      return { name, cells: [p50Few, p50Many, few, many, ratio] };
    }),
  };
}

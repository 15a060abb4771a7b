import { setTimeout as sleep } from 'node:timers/promises';
import { knownUser } from '../test/support/credentials.ts';
import type { CleanUp } from './clean-up.ts';
import { FilledProduct } from './filled-product.ts';
import { percentile } from './harness.ts';
import { HttpClient } from './http-client.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Table } from './table.ts';

const ROWS = 100_000;
const MIB = 1024 * 1024;
/** Each record has it once. */
const RECORD = '"created_at":';
/** What a slow client reads at a time, and how long it waits then. */
const SLOW_BYTES = 256 * 1024;
const SLOW_MS = 25;

/** A list that is read to its end while somebody else calls. */
interface Report {
  readonly name: string;
  readonly records: number;
  readonly bytes: number;
  readonly durationMs: number;
  readonly maxDelayMs: number;
  readonly maxTurnCpuMs: number;
  readonly otherP99Ms: number;
  readonly rssBeforeMib: number;
  readonly maxRssMib: number;
}

type Headers = Readonly<Record<string, string>>;

interface Listed {
  readonly name: string;
  readonly path: string;
  /** Reads slowly. */
  readonly isSlow?: boolean;
}

export const longLists: Question = {
  name: 'long-lists',
  help: 'Lists of 100,000 records: what they do to calls meanwhile, and to memory.',
  asked: Asked.Always,
  duration: '40 s',
  shortDuration: '8 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const user = knownUser('root', 'default', 'admin');
    const product = await FilledProduct.start(cleanUp, ROWS, user);
    const headers = { 'X-Auth-Token': user.token };
    const reports: Report[] = [];
    for (const listed of listsOf(product, isShort)) reports.push(await measure(cleanUp, product, headers, listed));
    return { tables: [tableOf(reports)], details: { rows: ROWS, reports } };
  },
};

function listsOf({ functionId, rareText }: FilledProduct, isShort: boolean): Listed[] {
  const executions = (query: string) => `/v1/executions${query === '' ? '' : `?${query}`}`;
  const all: Listed[] = [
    { name: 'functions', path: '/v1/functions' },
    { name: 'executions', path: executions('') },
    { name: 'executions, description=has: (one)', path: executions(`description=has:${encodeURIComponent(rareText)}`) },
    { name: 'executions, status=neq:success', path: executions('status=neq:success') },
    { name: 'executions, a slow client', path: executions(''), isSlow: true },
    { name: 'executions, description=has: (a third)', path: executions('description=has:Job') },
    { name: 'executions, status=success', path: executions('status=success') },
    { name: 'executions, function_id', path: executions(`function_id=${functionId}`) },
    { name: 'executions, function_id=in:', path: executions(`function_id=in:${functionId},x`) },
    { name: 'executions, function_id=neq:', path: executions(`function_id=neq:${functionId}`) },
    { name: 'executions, function_id=has: (none)', path: executions('function_id=has:nothing') },
    { name: 'executions, all_projects', path: executions('all_projects=true') },
    { name: 'executions, project_id=neq:', path: executions('project_id=neq:default') },
    { name: 'executions, project_id=has: (none)', path: executions('project_id=has:nothing') },
    { name: 'functions, project_id=neq:', path: '/v1/functions?project_id=neq:default' },
  ];
  return isShort ? all.slice(0, 4) : all;
}

async function measure(
  cleanUp: CleanUp,
  product: FilledProduct,
  headers: Headers,
  { name, path, isSlow }: Listed,
): Promise<Report> {
  const { rssBytes } = await product.observe();
  const others = new Others(`${product.url}/v1/executions?limit=1`, headers);
  cleanUp.after(async () => void (await others.stop()));
  const begunAtMs = performance.now();
  const { bytes, records } = await readList(product.url + path, headers, isSlow === true);
  const durationMs = performance.now() - begunAtMs;
  const latencies = await others.stop();
  const { maxDelayMs, maxTurnCpuMs, maxRssBytes } = await product.observe();
  return {
    name,
    records,
    bytes,
    durationMs,
    maxDelayMs,
    maxTurnCpuMs,
    otherP99Ms: latencies.length === 0 ? 0 : percentile(latencies, 0.99),
    rssBeforeMib: rssBytes / MIB,
    maxRssMib: maxRssBytes / MIB,
  };
}

/** Somebody else: one short call after the other, as long as it is not stopped. */
class Others {
  readonly #client: HttpClient;
  readonly #latencies: number[] = [];
  readonly #ended: Promise<void>;
  #isStopped = false;

  constructor(url: string, headers: Headers) {
    this.#client = new HttpClient(headers);
    this.#ended = this.#call(url);
  }

  /** Resolves with how long each call took, in milliseconds. */
  async stop(): Promise<readonly number[]> {
    this.#isStopped = true;
    await this.#ended;
    this.#client.close();
    return this.#latencies;
  }

  async #call(url: string): Promise<void> {
    while (!this.#isStopped) {
      const begunAtMs = performance.now();
      await this.#client.ask('GET', url, 200);
      this.#latencies.push(performance.now() - begunAtMs);
    }
  }
}

/** Reads a list to its end, and counts its records. */
async function readList(url: string, headers: Headers, isSlow: boolean): Promise<{ bytes: number; records: number }> {
  const client = new HttpClient(headers);
  const response = await client.open('GET', url);
  if (response.statusCode !== 200) throw new Error(`${url} was answered ${response.statusCode}`);
  let [bytes, records, readAtOnce] = [0, 0, 0];
  let end = '';
  for await (const chunk of response.setEncoding('latin1')) {
    const text = end + (chunk as string);
    records += text.split(RECORD).length - 1;
    end = text.slice(1 - RECORD.length); // too short to be counted twice
    bytes += (chunk as string).length;
    readAtOnce += (chunk as string).length;
    if (!isSlow || readAtOnce < SLOW_BYTES) continue;
    readAtOnce = 0;
    await sleep(SLOW_MS);
  }
  client.close();
  return { bytes, records };
}

function tableOf(reports: readonly Report[]): Table {
  return {
    title: `long-lists, ${ROWS} functions and as many executions`,
    columns: [
      { name: 'records', digits: 0 },
      { name: 'MiB', digits: 1 },
      { name: 's', digits: 2 },
      { name: 'held up ms', digits: 1, isDrawn: true },
      { name: 'CPU ms', digits: 1, isDrawn: true },
      { name: 'others p99 ms', digits: 1 },
      { name: 'RSS before, MiB', digits: 0 },
      { name: 'RSS at most, MiB', digits: 0 },
    ],
    rows: reports.map((report) => ({
      name: report.name,
      cells: [
        report.records,
        report.bytes / MIB,
        report.durationMs / 1000,
        report.maxDelayMs,
        report.maxTurnCpuMs,
        report.otherP99Ms,
        report.rssBeforeMib,
        report.maxRssMib,
      ],
    })),
  };
}

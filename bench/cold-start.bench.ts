import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { zipOf } from '../test/support/zip.ts';
import { percentile, spreadOf } from './harness.ts';
import { ANSWER, HELLO, LANGUAGES, callBody } from './hello.ts';
import { HttpClient, formBody, jsonTextBody, type Body } from './http-client.ts';
import { CPU_MILLICORES, Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Goal, Row, Table } from './table.ts';

interface Size {
  /** New functions of each kind. */
  readonly functions: number;
  readonly bursts: number;
}

const SIZE: Size = { functions: 100, bursts: 5 };
const SHORT_SIZE: Size = { functions: 6, bursts: 1 };
const WARM_UPS = 2;
/** In which the product replaces the idle process that was used; when there is none left, the burst tells. */
const REFILL_MS = 100;
const BURST = 50;
const DATA_BYTES = 5 * 1024 * 1024;
const MIB = 1024 * 1024;
const MOST_P50_MS = 8;
const MOST_P99_MS = 30;
const MOST_BURST_MS = 500;

/** A function that is started cold. */
interface Kind {
  readonly language: string;
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly memorySize: number;
}

/** Something as large as packages with libraries are, and an import that does some work. */
const HEAVY: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  python3: {
    'main.py': `import asyncio, concurrent.futures, decimal, email.mime.multipart, http.client, http.server
import logging.config, multiprocessing, sqlite3, unittest, urllib.request, xml.dom.minidom, xmlrpc.client
${HELLO['python3']!['main.py']!}`,
  },
  nodejs: {
    'main.js': `require('node:crypto'); require('node:http2'); require('node:https'); require('node:zlib');
require('./library.js');
${HELLO['nodejs']!['main.js']!}`,
    'library.js': Array.from({ length: 10_000 }, (_, index) => functionText(index)).join(''),
  },
};

function functionText(index: number): string {
  return `exports.f${index} = (a, b) => { const c = { a, b, index: ${index} }; return [c.a, c.b, "${index} of many"]; };\n`;
}

/** From the begin of the upload to the first answer, and once more when the worker was given back. */
interface ColdStart {
  readonly uploadMs: number;
  readonly firstCallMs: number;
  readonly bindMs: number;
}

interface Measured {
  readonly kind: Kind;
  readonly starts: ColdStart[];
}

export const coldStart: Question = {
  name: 'cold-start',
  help: `From an upload to the first answer, a known function whose worker was given back, ${BURST} functions at once.`,
  asked: Asked.Always,
  duration: '2.5 minutes',
  shortDuration: '12 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const size = isShort ? SHORT_SIZE : SIZE;
    const product = await Product.start(cleanUp);
    await product.untilRuntimesAreUp(LANGUAGES);
    const measured = await measureInTurn(product, makeKinds(), size);
    const bursts = await measureBursts(product, size);
    return {
      tables: [startTable(measured, size), burstTable(bursts, size)],
      goals: goalsOf(measured, bursts),
      details: { size, starts: measured.map(({ kind: { name }, starts }) => ({ name, starts })), bursts },
    };
  },
};

function makeKinds(): Kind[] {
  const data = randomBytes((DATA_BYTES * 3) / 4).toString('base64');
  return LANGUAGES.flatMap((language): Kind[] => [
    { language, name: language, files: HELLO[language]!, memorySize: 32 * MIB },
    {
      language,
      name: `${language}, 5 MB and a heavy import`,
      files: { ...HEAVY[language]!, 'data.txt': data },
      memorySize: 256 * MIB,
    },
  ]);
}

async function measureInTurn(product: Product, kinds: readonly Kind[], { functions }: Size): Promise<Measured[]> {
  const measured = kinds.map((kind): Measured => ({ kind, starts: [] }));
  const client = new HttpClient();
  try {
    for (let round = -WARM_UPS; round < functions; round++) {
      for (const { kind, starts } of measured) {
        const start = await measure(product, client, await packageForm(product, kind, round));
        if (round >= 0) starts.push(start);
      }
    }
  } finally {
    client.close();
  }
  return measured;
}

/** A package that was never seen before, as it goes over the wire. */
async function packageForm({ api }: Product, { language, files, memorySize }: Kind, round: number): Promise<Body> {
  return formBody({
    runtime_id: (await api.findRuntime(language))!,
    code: '{"source": "package"}',
    memory_size: String(memorySize),
    cpu: String(CPU_MILLICORES),
    package: zipOf({ ...files, 'round.txt': String(round) }),
  });
}

async function measure(product: Product, client: HttpClient, form: Body): Promise<ColdStart> {
  await sleep(REFILL_MS);
  const begunAtMs = performance.now();
  const answer = await client.ask('POST', `${product.url}/v1/functions`, 201, form);
  const uploadedAtMs = performance.now();
  const { id } = JSON.parse(answer.toString()) as { id: string };
  await call(product, client, id);
  const answeredAtMs = performance.now();
  await client.ask('POST', `${product.url}/v1/functions/${id}/detach`, 202);
  await sleep(REFILL_MS);
  const releasedAtMs = performance.now();
  await call(product, client, id);
  const bindMs = performance.now() - releasedAtMs;
  await product.delete(id); // as the next one would else wait for a free worker
  return { uploadMs: uploadedAtMs - begunAtMs, firstCallMs: answeredAtMs - uploadedAtMs, bindMs };
}

async function call(product: Product, client: HttpClient, functionId: string): Promise<void> {
  const answer = await client.ask('POST', product.executionsUrl, 201, jsonTextBody(callBody(functionId)));
  if (!answer.includes(ANSWER)) throw new Error(answer.toString().slice(0, 500));
}

/** For each language: how long each of the functions took that were called at the same time, in every burst. */
async function measureBursts(product: Product, { bursts }: Size): Promise<Record<string, number[][]>> {
  const clients = Array.from({ length: BURST }, () => new HttpClient());
  const durations: Record<string, number[][]> = Object.fromEntries(LANGUAGES.map((language) => [language, []]));
  try {
    for (const client of clients) await client.ask('GET', `${product.url}/v1/runtimes`, 200); // they are connected now
    for (let burst = 0; burst < bursts; burst++) {
      for (const language of LANGUAGES) durations[language]!.push(await measureBurst(product, language, clients));
    }
  } finally {
    for (const client of clients) client.close();
  }
  return durations;
}

/** Functions that are known and were never called, each called once, all at the same time. */
async function measureBurst(product: Product, language: string, clients: readonly HttpClient[]): Promise<number[]> {
  const ids: string[] = [];
  for (const _ of clients) ids.push((await product.createFunction({ runtime: language, files: HELLO[language]! })).id);
  const begunAtMs = performance.now();
  const durations = await Promise.all(
    clients.map(async (client, at) => {
      await call(product, client, ids[at]!);
      return performance.now() - begunAtMs;
    }),
  );
  for (const id of ids) await product.delete(id);
  return durations;
}

const PARTS: Readonly<Record<string, (start: ColdStart) => number>> = {
  'upload to answer': ({ uploadMs, firstCallMs }) => uploadMs + firstCallMs,
  'first call alone': ({ firstCallMs }) => firstCallMs,
  'known, worker given back': ({ bindMs }) => bindMs,
};

function startTable(measured: readonly Measured[], { functions }: Size): Table {
  const rows = measured.flatMap(({ kind: { name }, starts }) =>
    Object.entries(PARTS).map(([part, msOf]): Row => {
      const values = starts.map(msOf);
      return { name: `${name}: ${part}`, cells: [0.5, 0.9, 0.99].map((share) => percentile(values, share)) };
    }),
  );
  const columns = [
    { name: 'p50 ms', digits: 1, isDrawn: true },
    { name: 'p90 ms', digits: 1 },
    { name: 'p99 ms', digits: 1, isDrawn: true },
  ];
  return { title: `cold-start, ${functions} new functions of each kind, one after the other`, columns, rows };
}

function burstTable(bursts: Readonly<Record<string, number[][]>>, { bursts: count }: Size): Table {
  const rows = Object.entries(bursts).map(([name, ofLanguage]): Row => {
    const spread = (share: number) => spreadOf(ofLanguage.map((durations) => percentile(durations, share)));
    return { name, cells: [spread(0.5), spread(1)] };
  });
  const columns = [
    { name: 'half answered after ms', digits: 0, isDrawn: true },
    { name: 'all answered after ms', digits: 0, isDrawn: true },
  ];
  return { title: `cold-start, ${BURST} functions called at once: median (min–max) of ${count} bursts`, columns, rows };
}

function goalsOf(measured: readonly Measured[], bursts: Readonly<Record<string, number[][]>>): Goal[] {
  const ofStarts = measured.flatMap(({ kind: { name, language }, starts }): Goal[] => {
    if (name !== language) return []; // what an import costs is the function's own
    const values = starts.map(PARTS['upload to answer']!);
    const goal = (share: number, bound: number): Goal => {
      const value = percentile(values, share);
      return { name: `${name}, upload to answer, p${share * 100} ms`, value, digits: 1, bound, is: 'at most' };
    };
    return [goal(0.5, MOST_P50_MS), goal(0.99, MOST_P99_MS)];
  });
  const ofBursts = Object.entries(bursts).map(([language, ofLanguage]): Goal => {
    const value = Math.max(...ofLanguage.flat());
    return { name: `${language}, ${BURST} at once, slowest ms`, value, digits: 0, bound: MOST_BURST_MS, is: 'at most' };
  });
  return [...ofStarts, ...ofBursts];
}

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../test/support/server.ts';
import { bytesIn } from './folder-size.ts';
import { spreadOf } from './harness.ts';
import { LANGUAGES } from './hello.ts';
import { childrenOf, descendantsOf, heldBy } from './process-tree.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import { SoakLoad } from './soak-load.ts';
import type { Goal, Series, Table } from './table.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SAMPLES = 240;
const LEAST_SAMPLE_MS = 500;
const SHORT_MINUTES = 0.25;
/** So few that their removal is at work all the time. */
const KEPT_EXECUTIONS = 20_000;
/** From the second quarter of the time to the last one. */
const MOST_GROWTH = 1.2;

/** What is looked at, now and then. */
const LOOKED_AT = {
  gatewayRssMib: { title: 'gateway, RSS', unit: 'MiB' },
  gatewayFiles: { title: 'gateway, open files', unit: 'files' },
  agentRssMib: { title: 'agent, RSS', unit: 'MiB' },
  agentFiles: { title: 'agent, open files', unit: 'files' },
  processes: { title: 'processes below the gateway', unit: 'processes' },
  databaseMib: { title: 'database with its log', unit: 'MiB' },
  packagesKib: { title: 'packages', unit: 'KiB' },
} as const;
type Looked = keyof typeof LOOKED_AT;
const NAMES = Object.keys(LOOKED_AT) as Looked[];

type Sample = Readonly<Record<Looked, number>> & { readonly seconds: number };

export const soak: Question = {
  name: 'soak',
  help: 'Calls, lists, uploads and deletes for --minutes: do memory, files and the database stay bounded?',
  asked: Asked.ByName,
  duration: 'as long as --minutes says; 30 are a day of a busy service',
  shortDuration: '15 s',
  run: async ({ isShort, minutes, cleanUp }: QuestionOptions) => {
    const folder = makeFolder(cleanUp).path;
    const kept = { QINLING_EXECUTIONS_RETENTION_MAX_COUNT: String(KEPT_EXECUTIONS) };
    const product = await Product.start(cleanUp, kept, folder);
    await product.untilRuntimesAreUp(LANGUAGES);
    const load = await SoakLoad.start(product);
    cleanUp.after(() => load.stop().catch(() => undefined));
    const durationMs = (isShort ? SHORT_MINUTES : minutes) * 60_000;
    const samples = await Promise.race([lookAt(product, folder, durationMs), load.failed.then(() => [] as Sample[])]);
    await load.stop();
    const growths = NAMES.map((name) => growthOf(samples, name));
    return {
      tables: [growthTable(growths, durationMs), countTable(load, durationMs)],
      series: NAMES.map((name) => seriesOf(samples, name)),
      goals: (isShort ? [] : growths).map(({ name, ratio }): Goal => {
        const { title } = LOOKED_AT[name];
        return { name: `${title}, times what it was`, value: ratio, digits: 2, bound: MOST_GROWTH, is: 'at most' };
      }),
      details: { keptExecutions: KEPT_EXECUTIONS, samples },
    };
  },
};

async function lookAt({ pid }: Product, folder: string, durationMs: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const begunAtMs = performance.now();
  const pauseMs = Math.max(LEAST_SAMPLE_MS, durationMs / SAMPLES);
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - begunAtMs) {
    samples.push(sample(pid, folder, elapsedMs / 1000));
    await sleep(pauseMs);
  }
  return samples;
}

function sample(pid: number, folder: string, seconds: number): Sample {
  const gateway = heldBy(pid);
  const agent = heldBy(childrenOf(pid)[0] ?? 0);
  return {
    seconds,
    gatewayRssMib: gateway.rssBytes / MIB,
    gatewayFiles: gateway.files,
    agentRssMib: agent.rssBytes / MIB,
    agentFiles: agent.files,
    processes: descendantsOf(pid).length,
    databaseMib: bytesIn(join(folder, 'data'), (path) => /\.sqlite(-wal|-shm)?$/.test(path)) / MIB,
    packagesKib: bytesIn(join(folder, 'data'), (path) => path.includes('/packages/')) / KIB,
  };
}

interface Growth {
  readonly name: Looked;
  readonly early: number;
  readonly late: number;
  readonly ratio: number;
}

/** The first quarter is left out: caches fill, and the first records are not old yet. */
function growthOf(samples: readonly Sample[], name: Looked): Growth {
  const quarter = Math.floor(samples.length / 4);
  const median = (part: readonly Sample[]) => spreadOf(part.map((looked) => looked[name])).median;
  const early = median(samples.slice(quarter, quarter * 2));
  const late = median(samples.slice(-quarter));
  return { name, early, late, ratio: early === 0 ? 1 : late / early };
}

function growthTable(growths: readonly Growth[], durationMs: number): Table {
  return {
    title: `soak, ${durationMs / 60_000} minutes, ${KEPT_EXECUTIONS} executions kept: medians`,
    columns: [
      { name: 'second quarter', digits: 1 },
      { name: 'last quarter', digits: 1 },
      { name: 'times', digits: 2 },
    ],
    rows: growths.map(({ name, early, late, ratio }) => {
      const { title, unit } = LOOKED_AT[name];
      return { name: unit.endsWith('iB') ? `${title}, ${unit}` : title, cells: [early, late, ratio] };
    }),
  };
}

function countTable({ counts }: SoakLoad, durationMs: number): Table {
  return {
    title: 'soak, what was done',
    columns: [
      { name: 'times', digits: 0 },
      { name: 'a second', digits: 1 },
    ],
    rows: Object.entries(counts).map(([name, count]) => ({ name, cells: [count, count / (durationMs / 1000)] })),
  };
}

function seriesOf(samples: readonly Sample[], name: Looked): Series {
  return { ...LOOKED_AT[name], points: samples.map((looked) => [looked.seconds, looked[name]] as const) };
}

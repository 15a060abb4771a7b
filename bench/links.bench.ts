import { setTimeout as sleep } from 'node:timers/promises';
import { spreadOf } from './harness.ts';
import type { Observation } from './probe.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import { SimulatedProduct } from './simulated-product.ts';
import type { Goal, Table } from './table.ts';

interface Size {
  readonly links: number;
  /** Several heartbeats long. */
  readonly quietSeconds: number;
  readonly restarts: number;
}

const SIZE: Size = { links: 1_000, quietSeconds: 60, restarts: 5 };
const SHORT_SIZE: Size = { links: 200, quietSeconds: 3, restarts: 1 };
const KIB = 1024;
const MIB = 1024 * KIB;
const MOST_KIB = 20;
const MOST_BACK_SECONDS = 10;

/** The gateway in a time in which nobody calls. */
interface Quiet {
  readonly observation: Observation;
  readonly cpuMsPerSecond: number;
}

interface Restart {
  readonly listensSeconds: number;
  readonly allBackSeconds: number;
}

export const links: Question = {
  name: 'links',
  help: `${SIZE.links} agents: memory of their links, what heartbeats cost, how long until all are back after a restart.`,
  asked: Asked.NotShort,
  duration: '2 minutes',
  shortDuration: '15 s',
  run: async ({ isShort, cleanUp }: QuestionOptions) => {
    const size = isShort ? SHORT_SIZE : SIZE;
    const simulated = await SimulatedProduct.start(cleanUp, { functions: 1, agents: 1, workersEach: 1 });
    const one = await beQuiet(simulated, size);
    await simulated.addAgents(size.links);
    const all = await beQuiet(simulated, size);
    const restarts: Restart[] = [];
    for (let count = 0; count < size.restarts; count++) restarts.push(await restart(simulated));
    return {
      tables: [memoryTable(one, all, size), restartTable(restarts, size)],
      goals: isShort ? [] : goalsOf(one, all, restarts, size),
      details: { size, one, all, restarts },
    };
  },
};

async function beQuiet({ observer }: SimulatedProduct, { quietSeconds }: Size): Promise<Quiet> {
  const before = await observer.observeCollected();
  await sleep(quietSeconds * 1000);
  const { cpuMs } = await observer.observe(); // before garbage is collected, which is work too
  const observation = await observer.observeCollected();
  return { observation, cpuMsPerSecond: (cpuMs - before.cpuMs) / quietSeconds };
}

async function restart(simulated: SimulatedProduct): Promise<Restart> {
  const startedAtMs = await simulated.restart();
  const listensSeconds = (Date.now() - startedAtMs) / 1000;
  const allBackSeconds = ((await simulated.untilAllReady()) - startedAtMs) / 1000;
  return { listensSeconds, allBackSeconds };
}

function kibOfLink(one: Quiet, all: Quiet, { links: count }: Size, key: 'rssBytes' | 'heapBytes'): number {
  return (all.observation[key] - one.observation[key]) / count / KIB;
}

function memoryTable(one: Quiet, all: Quiet, size: Size): Table {
  const row = (name: string, { observation, cpuMsPerSecond }: Quiet, isAll: boolean) => ({
    name,
    cells: [
      observation.rssBytes / MIB,
      observation.heapBytes / MIB,
      isAll ? kibOfLink(one, all, size, 'rssBytes') : null,
      isAll ? kibOfLink(one, all, size, 'heapBytes') : null,
      cpuMsPerSecond,
    ],
  });
  return {
    title: `links, ${size.links} agents of one worker, nobody calls for ${size.quietSeconds} s`,
    columns: [
      { name: 'RSS MiB', digits: 1 },
      { name: 'heap MiB', digits: 1 },
      { name: 'RSS a link, KiB', digits: 1 },
      { name: 'heap a link, KiB', digits: 1 },
      { name: 'CPU ms a second', digits: 2, isDrawn: true },
    ],
    rows: [row('1 link', one, false), row(`${size.links + 1} links`, all, true)],
  };
}

function restartTable(restarts: readonly Restart[], { links: count, restarts: times }: Size): Table {
  return {
    title: `links, a gateway that was killed is started again: median (min–max) of ${times}`,
    columns: [{ name: 's from its start', digits: 2, isDrawn: true }],
    rows: [
      { name: 'it listens', cells: [spreadOf(restarts.map(({ listensSeconds }) => listensSeconds))] },
      {
        name: `all ${count + 1} links are back`,
        cells: [spreadOf(restarts.map(({ allBackSeconds }) => allBackSeconds))],
      },
    ],
  };
}

function goalsOf(one: Quiet, all: Quiet, restarts: readonly Restart[], size: Size): Goal[] {
  const back = Math.max(...restarts.map(({ allBackSeconds }) => allBackSeconds));
  return [
    { name: 'KiB a link', value: kibOfLink(one, all, size, 'rssBytes'), digits: 1, bound: MOST_KIB, is: 'at most' },
    { name: 's until all links are back', value: back, digits: 2, bound: MOST_BACK_SECONDS, is: 'at most' },
  ];
}

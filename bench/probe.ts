import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/**
 * Looks at the process it is loaded into (`NODE_OPTIONS=--import=…/probe.js`): how long its event loop was held up, its
 * memory and its work. Answers on the socket that the variable names with what was since it was asked last.
 */
export const PROBE_SOCKET = 'BENCH_PROBE_SOCKET';
/** Set where turns and delays are not looked at: looking takes some processor time itself. */
export const PROBE_CALM = 'BENCH_PROBE_CALM';
/** Asked by this path, it collects garbage first. */
export const COLLECTED = '/collected';

export interface Observation {
  /** The longest time that a timer was late: by the process's own work, or as the machine had others to run. */
  readonly maxDelayMs: number;
  /** The most processor time between two turns of a timer: own work alone, with that of all its threads. */
  readonly maxTurnCpuMs: number;
  /** Processor time since its start, all threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly maxRssBytes: number;
  /** What JavaScript holds, with its buffers. */
  readonly heapBytes: number;
}

const TURN_MS = 1;
const MEMORY_MS = 10;
const COLLECTIONS = 3;

function observe(socket: string): void {
  const delays = monitorEventLoopDelay({ resolution: TURN_MS });
  const isCalm = process.env[PROBE_CALM] !== undefined;
  if (!isCalm) delays.enable();
  let maxTurnCpuMicros = 0;
  let maxRssBytes = 0;
  let usage = process.cpuUsage();
  const lookAtProcessor = () => {
    const { user, system } = process.cpuUsage(usage);
    maxTurnCpuMicros = Math.max(maxTurnCpuMicros, user + system);
    usage = process.cpuUsage();
  };
  const lookAtMemory = () => (maxRssBytes = Math.max(maxRssBytes, process.memoryUsage.rss()));
  if (!isCalm) {
    setInterval(lookAtProcessor, TURN_MS).unref();
    setInterval(lookAtMemory, MEMORY_MS).unref();
  }
  const server = createServer((request, response) => {
    if (request.url === COLLECTED) collectGarbage();
    lookAtMemory();
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const observation: Observation = {
      maxDelayMs: delays.max / 1e6,
      maxTurnCpuMs: maxTurnCpuMicros / 1e3,
      cpuMs: (user + system) / 1e3,
      rssBytes: rss,
      maxRssBytes,
      heapBytes: heapUsed + external,
    };
    delays.reset();
    maxTurnCpuMicros = 0;
    maxRssBytes = 0;
    response.end(JSON.stringify(observation));
  });
  server.listen(socket).unref();
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let count = 0; count < COLLECTIONS; count++) collect();
}

const socket = process.env[PROBE_SOCKET];
if (socket !== undefined && isMainThread) observe(socket);

import { setTimeout as sleep } from 'node:timers/promises';
import { Label } from '../gateway/orchestrator/kubernetes/names.ts';
import { isTaken } from '../gateway/orchestrator/kubernetes/pod.ts';
import { resultOf, type Resource } from '../test/support/api.ts';
import type { Installation, SeenPod } from '../test/support/installation.ts';
import type { CleanUp } from './clean-up.ts';
import { alternate, percentile, spreadOf, type Subject } from './harness.ts';
import { ANSWER, HELLO, INPUT, callBody, callHello, createHello } from './hello.ts';
import { runLoad, type LoadResult } from './load.ts';
import { Product } from './product.ts';
import { Asked, type Question, type QuestionOptions } from './question.ts';
import type { Table } from './table.ts';

const LANGUAGE = 'python3';
const FREE_WORKERS = 8;
const BURST = 50;
const COLD_CALLS = 40;
const CONNECTIONS = [1, 64];
const ROUNDS = { warmUpSeconds: 2, rounds: 5, roundSeconds: 3 };
const SHORT_ROUNDS = { warmUpSeconds: 0, rounds: 1, roundSeconds: 1 };
const POLL_MS = 50;
/** What most users would write instead: Node.js alone, JSON in and out. */
const PLAIN_SERVER = `require('node:http').createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const { name } = JSON.parse(JSON.parse(Buffer.concat(parts)).input);
    const text = JSON.stringify({ output: 'Hello, ' + name });
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(text);
  });
}).listen(8080)`;

export const kubernetes: Question = {
  name: 'kubernetes',
  help: 'Cold and warm calls in the cluster of KUBECONFIG, beside those on this machine and a plain server in a pod.',
  asked: Asked.ByName,
  duration: '5 minutes, with `npm run cluster:up` before',
  shortDuration: '3 minutes',
  run: async ({ isShort, cleanUp, print }: QuestionOptions) => {
    // loaded for this question alone: Kubernetes' client takes most of a second
    const installation = await import('../test/support/installation.ts');
    const cluster = new installation.Installation();
    cleanUp.after(() => cluster.remove());
    const environment = {
      QINLING_KUBERNETES_REPLICAS: String(FREE_WORKERS),
      QINLING_ENGINE_MAX_WAITING_TIME: '600',
      QINLING_DEFAULT_LOG_LEVEL: 'warn',
    };
    await cluster.open({ overlays: ['minimal'], environment });
    const runtime = await cluster.createRuntime(LANGUAGE);
    if (runtime['status'] !== 'available') throw new Error(JSON.stringify(runtime));
    print('calling warm functions');
    const warm = await measureWarm(cluster, installation.PRODUCT_IMAGE, cleanUp, isShort);
    print('calling cold functions');
    const cold = await measureCold(cluster, runtime.id, isShort ? 5 : COLD_CALLS);
    print(`calling ${BURST} at once`);
    const burst = await measureBurst(cluster, runtime.id);
    return {
      tables: [...warm.tables, coldTable(cold), burstTable(burst)],
      details: { warm: warm.rounds, cold, burst },
    };
  },
};

async function measureWarm(cluster: Installation, productImage: string, cleanUp: CleanUp, isShort: boolean) {
  const options = isShort ? SHORT_ROUNDS : ROUNDS;
  const product = await Product.start(cleanUp);
  await product.untilRuntimesAreUp([LANGUAGE]);
  const { id: localId } = await createHello(product, LANGUAGE);
  await callHello(product, localId);
  const { id } = await createIn(cluster);
  await callIn(cluster, id);
  const plain = await startPlainServer(cluster, productImage);
  const tables: Table[] = [];
  const rounds: unknown[] = [];
  for (const connections of CONNECTIONS) {
    const subject = (name: string, url: string, body: string): Subject<LoadResult> => {
      return { name, measure: (durationSeconds) => runLoad({ url, body, connections, durationSeconds }) };
    };
    const subjects = [
      subject('in the cluster', `${cluster.url}/v1/executions`, callBody(id)),
      subject('local', product.executionsUrl, callBody(localId)),
      subject('plain Node.js server in a pod', plain, callBody(id)),
    ];
    const measured = await alternate(subjects, options);
    rounds.push(measured);
    tables.push({
      title: `kubernetes, warm hello, ${connections} ${connections === 1 ? 'connection' : 'connections'}: median (min–max) of ${options.rounds} rounds`,
      columns: [
        { name: 'calls/s', digits: 0, isDrawn: true },
        { name: 'p50 ms', digits: 2 },
        { name: 'p99 ms', digits: 2 },
      ],
      rows: subjects.map(({ name }, at) => ({
        name,
        cells: [
          spreadOf(measured[at]!.map(({ requestsPerSecond }) => requestsPerSecond)),
          spreadOf(measured[at]!.map(({ p50Ms }) => p50Ms)),
          spreadOf(measured[at]!.map(({ p99Ms }) => p99Ms)),
        ],
      })),
    });
  }
  return { tables, rounds };
}

/** One after the other, each when the pool is full; then how long it takes to be full again. */
async function measureCold(cluster: Installation, runtimeId: string, count: number) {
  const callMs: number[] = [];
  const refillMs: number[] = [];
  for (let call = 0; call < count; call++) {
    const { id } = await createIn(cluster);
    await untilFull(cluster, runtimeId, 0);
    const taken = (await cluster.workers(runtimeId)).filter(isTaken).length; // that of the warm calls
    const begunMs = performance.now();
    await callIn(cluster, id);
    callMs.push(performance.now() - begunMs);
    await untilFull(cluster, runtimeId, taken + 1);
    refillMs.push(performance.now() - begunMs);
    const pods = await cluster.workers(runtimeId);
    const own = pods.find(({ metadata }) => metadata.labels?.[Label.Function] === id);
    const deleted = await cluster.api.request('DELETE', `/v1/functions/${id}`);
    if (deleted.status !== 204) throw new Error(deleted.text);
    if (own !== undefined) await cluster.untilPodIsGone(own.metadata.name); // the next round does not count it
  }
  return { callMs, refillMs };
}

async function measureBurst(cluster: Installation, runtimeId: string): Promise<number[]> {
  const ids: string[] = [];
  for (let index = 0; index < BURST; index++) ids.push((await createIn(cluster)).id);
  await untilFull(cluster, runtimeId, 0);
  const begunMs = performance.now();
  return Promise.all(
    ids.map(async (id) => {
      await callIn(cluster, id);
      return performance.now() - begunMs;
    }),
  );
}

async function untilFull(cluster: Installation, runtimeId: string, leastTaken: number): Promise<void> {
  for (;;) {
    const pods = await cluster.workers(runtimeId);
    const free = pods.filter((pod) => !isTaken(pod));
    if (free.length === FREE_WORKERS && free.every(isReady) && pods.length - free.length >= leastTaken) return;
    await sleep(POLL_MS);
  }
}

function isReady({ status }: SeenPod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
}

function createIn(cluster: Installation): Promise<Resource> {
  return cluster.api.createFunction({ runtime: LANGUAGE, files: HELLO[LANGUAGE]!, cpu: 4_000 });
}

async function callIn(cluster: Installation, id: string): Promise<void> {
  const { output } = resultOf(await cluster.api.execute(id, INPUT));
  if (output !== ANSWER) throw new Error(`the function returned ${JSON.stringify(output)}`);
}

async function startPlainServer(cluster: Installation, image: string): Promise<string> {
  const name = 'plain-server';
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  await cluster.client.create(`/api/v1/namespaces/${cluster.namespace}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: cluster.namespace },
    spec: {
      securityContext: { runAsNonRoot: true, runAsUser: 65_533, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        { name, image, imagePullPolicy: 'IfNotPresent', command: ['node', '-e', PLAIN_SERVER], securityContext },
      ],
    },
  });
  await cluster.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s');
  return `http://${await cluster.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.podIP}')}:8080/`;
}

function coldTable({ callMs, refillMs }: Awaited<ReturnType<typeof measureCold>>): Table {
  return {
    title: `kubernetes, ${callMs.length} cold calls with a full pool of ${FREE_WORKERS}`,
    columns: [
      { name: 'p50 ms', digits: 0, isDrawn: true },
      { name: 'p99 ms', digits: 0 },
    ],
    rows: [
      { name: 'first call of a function', cells: [percentile(callMs, 0.5), percentile(callMs, 0.99)] },
      { name: 'until the pool is full again', cells: [percentile(refillMs, 0.5), percentile(refillMs, 0.99)] },
    ],
  };
}

function burstTable(answeredMs: readonly number[]): Table {
  return {
    title: `kubernetes, ${BURST} new functions called at once with ${FREE_WORKERS} free workers`,
    columns: [
      { name: 'first 8 answered after ms', digits: 0 },
      { name: 'half', digits: 0 },
      { name: 'all', digits: 0, isDrawn: true },
    ],
    rows: [
      {
        name: LANGUAGE,
        cells: [percentile(answeredMs, FREE_WORKERS / BURST), percentile(answeredMs, 0.5), Math.max(...answeredMs)],
      },
    ],
  };
}

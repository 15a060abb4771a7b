import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadError, type ChildOutcome } from '../../agent/host-child.ts';
import type { PackageCache } from '../../agent/package-cache.ts';
import { Worker, type WorkerContext } from '../../agent/worker.ts';
import { BindFault, Kind, Outcome, type AgentMessage, type Bind, type Result } from '../../protocol/message.ts';
import { until } from '../support/fake-agent.ts';
import { FakeHost } from '../support/fake-host.ts';

const DIGEST = 'd'.repeat(64);
const SHORT_MICROS = 50;
const LONG_MICROS = 5_000_000;

const BIND: Bind = {
  kind: Kind.Bind,
  worker: 0,
  targetKey: 'f/0',
  pool: 'python3',
  packageDigest: DIGEST,
  entry: 'main.main',
  cpuMillicores: 200,
  memoryBytes: 64,
  loadTimeoutMs: 60_000,
  environment: { A: 'b' },
};

/** Packages that are there when the test says so. */
class FakePackages {
  readonly taken: string[] = [];
  readonly givenBack: string[] = [];
  fault: Error | undefined;
  /** Set to make `take` wait. */
  gate: Promise<void> | undefined;

  async take(digest: string): Promise<string> {
    await this.gate;
    if (this.fault !== undefined) throw this.fault;
    this.taken.push(digest);
    return `/packages/${digest}`;
  }

  giveBack(digest: string): void {
    this.givenBack.push(digest);
  }
}

function open(concurrency = 3) {
  const host = new FakeHost();
  const packages = new FakePackages();
  const sent: AgentMessage[] = [];
  const results: Result[] = [];
  const warnings: string[] = [];
  const context: WorkerContext = {
    hosts: new Map([['python3', host.asLanguageHost]]),
    packages: packages as unknown as PackageCache,
    send: (message) => sent.push(message),
    sendResult: (result) => results.push(result),
    onWarning: (text) => warnings.push(text),
    concurrency,
    maxOutputBytes: 1_000,
  };
  const worker = new Worker(0, context);
  let slot = 0;
  const invoke = (timeoutMs = 1_000) => {
    const executionId = `e${slot}`;
    worker.invoke({ kind: Kind.Invoke, slot, worker: 0, executionId, timeoutMs, input: Buffer.from(`{"n":${slot}}`) });
    return slot++;
  };
  const bound = async (change: Partial<Bind> = {}) => {
    worker.bind({ ...BIND, ...change });
    await until(() => sent.length > 0, 'Bound');
    assert.deepEqual(sent.shift(), { kind: Kind.Bound, worker: 0, targetKey: change.targetKey ?? BIND.targetKey });
    return host.children.at(-1)!;
  };
  const outcomes = () => results.map(({ slot: of, outcome }) => [of, outcome]);
  return { worker, host, packages, sent, results, warnings, invoke, bound, outcomes };
}

const loadError = (kind: ChildOutcome['kind']) =>
  new LoadError({
    kind,
    output: Buffer.from('"bad day"'),
    durationMicros: 0,
    log: Buffer.from('Traceback'),
    isLogCut: false,
  });

test('a Bind is answered when the package is there and the function loaded', async () => {
  const { worker, host, packages, sent } = open();
  host.loadsAtOnce = false;
  worker.bind(BIND);
  await until(() => host.loads.length === 1);
  assert.deepEqual(packages.taken, [DIGEST]);
  const { packageDirectory, entry, cpuMillicores, memoryBytes, maxOutputBytes, environment } = host.loads[0]!.spec;
  assert.deepEqual(
    { packageDirectory, entry, cpuMillicores, memoryBytes, maxOutputBytes, environment },
    {
      packageDirectory: `/packages/${DIGEST}`,
      entry: 'main.main',
      cpuMillicores: 200,
      memoryBytes: 64,
      maxOutputBytes: 1_000,
      environment: { A: 'b' },
    },
  );
  assert.deepEqual([worker.targetKey, sent], [undefined, []]);
  host.loads[0]!.succeed();
  await until(() => sent.length === 1);
  assert.deepEqual([worker.targetKey, sent], ['f/0', [{ kind: Kind.Bound, worker: 0, targetKey: 'f/0' }]]);
});

test('a target that does not load fails by its own fault, with its outcome and log', async () => {
  for (const [kind, outcome] of [
    ['failed', Outcome.Failed],
    ['timeout', Outcome.TimedOut],
    ['killed', Outcome.Killed],
    ['exited', Outcome.Exited],
  ] as const) {
    const { worker, host, packages, sent } = open();
    host.loadsAtOnce = false;
    worker.bind(BIND);
    await until(() => host.loads.length === 1);
    host.loads[0]!.fail(loadError(kind));
    await until(() => sent.length === 1);
    assert.deepEqual(sent, [
      {
        kind: Kind.BindFailed,
        worker: 0,
        targetKey: 'f/0',
        fault: BindFault.Function,
        outcome,
        output: Buffer.from('"bad day"'),
        log: Buffer.from('Traceback'),
        reason: '',
      },
    ]);
    assert.equal(worker.targetKey, undefined);
    await until(() => packages.givenBack.length === 1);
  }
});

test('what is no fault of the function is told as ours', async () => {
  const faults: ((rig: ReturnType<typeof open>) => Bind)[] = [
    () => ({ ...BIND, pool: 'cobol' }),
    ({ packages }) => {
      packages.fault = new Error('the gateway answered 404 for the package');
      return BIND;
    },
    ({ host }) => {
      host.load = () => Promise.reject(new Error('no process of python3 came in time'));
      return BIND;
    },
  ];
  const reasons = [
    'no runtime cobol here',
    'the gateway answered 404 for the package',
    'no process of python3 came in time',
  ];
  for (const [index, prepare] of faults.entries()) {
    const rig = open();
    rig.worker.bind(prepare(rig));
    await until(() => rig.sent.length === 1);
    const [failed] = rig.sent;
    assert.ok(failed?.kind === Kind.BindFailed);
    assert.deepEqual(
      [failed.fault, failed.outcome, failed.reason],
      [BindFault.Agent, Outcome.NotStarted, reasons[index]],
    );
  }
});

test('an invocation of a worker that is not bound did not start', async () => {
  const { worker, host, invoke, outcomes } = open();
  invoke();
  host.loadsAtOnce = false;
  worker.bind(BIND);
  invoke();
  assert.deepEqual(outcomes(), [
    [0, Outcome.NotStarted],
    [1, Outcome.NotStarted],
  ]);
});

test('an invocation reaches a process as it came, and its end the gateway', async () => {
  const ends = {
    returned: Outcome.Returned,
    failed: Outcome.Failed,
    timeout: Outcome.TimedOut,
    killed: Outcome.Killed,
    exited: Outcome.Exited,
  } as const;
  for (const [kind, outcome] of Object.entries(ends)) {
    const { results, invoke, bound } = open();
    const child = await bound();
    const slot = invoke(777);
    const { executionId, input, timeoutMs } = child.given[0]!;
    assert.deepEqual({ executionId, input, timeoutMs }, { executionId: 'e0', input: '{"n":0}', timeoutMs: 777 });
    const end = { output: Buffer.from('[1]'), durationMicros: 5, log: Buffer.from('said'), isLogCut: true };
    child.finish(kind as ChildOutcome['kind'], end);
    assert.deepEqual(results, [{ kind: Kind.Result, slot, outcome, ...end }]);
  }
});

test('long invocations get a process each, up to the concurrency; the rest waits its turn', async () => {
  const { host, results, invoke, bound } = open(3);
  await bound();
  const slots = Array.from({ length: 5 }, () => invoke());
  await until(() => host.children.length === 3, 'three processes');
  assert.deepEqual(
    host.children.map(({ given }) => given.map(({ executionId }) => executionId)),
    [['e0'], ['e1'], ['e2']],
  );
  await new Promise((resolve) => setTimeout(resolve, 50)); // many times the wait for one more
  assert.equal(host.loads.length, 3);
  host.children[1]!.finish('returned', { durationMicros: LONG_MICROS });
  assert.deepEqual(
    host.children[1]!.given.map(({ executionId }) => executionId),
    ['e3'],
  );
  for (const child of host.children) child.finish('returned', { durationMicros: LONG_MICROS });
  host.children.find(({ inFlight }) => inFlight > 0)!.finish();
  assert.deepEqual(results.map(({ slot }) => slot).sort(), slots);
});

test('short invocations are piled up at one process', async () => {
  const { host, results, invoke, bound } = open(3);
  const child = await bound();
  for (let count = 0; count < 3; count++) {
    invoke();
    child.finish('returned', { durationMicros: SHORT_MICROS });
  }
  for (let count = 0; count < 16; count++) invoke();
  assert.equal(child.inFlight, 16);
  while (child.inFlight > 0) child.finish('returned', { durationMicros: SHORT_MICROS });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([host.loads.length, results.length], [1, 19]);
});

test('invocations of a millisecond do not pile up while there may be more processes', async () => {
  const { host, invoke, bound } = open(3);
  const child = await bound();
  invoke();
  child.finish('returned', { durationMicros: 1_000 });
  for (let count = 0; count < 6; count++) invoke();
  assert.equal(child.inFlight, 6); // five of them wait 2.5 ms, as it seems
  await until(() => host.children.length === 2, 'a second process');
  invoke();
  assert.equal(host.children[1]!.inFlight, 1);
});

test('nothing is put behind an invocation that turns out to take long', async () => {
  const { host, invoke, bound } = open(2);
  const child = await bound();
  invoke();
  child.finish('returned', { durationMicros: SHORT_MICROS });
  invoke(); // long, as nobody knows yet
  invoke(); // behind it, since calls were short
  await new Promise((resolve) => setTimeout(resolve, 50));
  invoke();
  await until(() => host.children.length === 2 && host.children[1]!.inFlight === 1, 'a process for it');
  assert.deepEqual(
    child.given.map(({ executionId }) => executionId),
    ['e1', 'e2'],
  );
});

test('what waits while every process takes long is handed back, what runs is not', async () => {
  const { host, outcomes, invoke, bound } = open(2);
  const child = await bound();
  invoke();
  child.finish('returned', { durationMicros: SHORT_MICROS });
  invoke();
  await new Promise((resolve) => setTimeout(resolve, 50));
  invoke();
  await until(() => host.children.length === 2 && host.children[1]!.inFlight === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const waiting = [invoke(), invoke(), invoke()];
  await until(() => outcomes().length === 4);
  assert.deepEqual(
    outcomes().slice(1),
    waiting.map((slot) => [slot, Outcome.NotStarted]),
  );
  assert.deepEqual(
    host.children.map(({ inFlight }) => inFlight),
    [1, 1],
  );
});

test('a process that dies ends its own invocation only, and has a successor', async () => {
  const { host, outcomes, invoke, bound } = open(1);
  const first = await bound();
  for (let count = 0; count < 3; count++) {
    invoke();
    if (count === 0) first.finish('returned', { durationMicros: SHORT_MICROS });
  }
  assert.equal(first.inFlight, 2);
  first.exit('killed');
  await until(() => host.children.length === 2, 'the successor');
  await until(() => host.children[1]!.inFlight === 1);
  assert.deepEqual(outcomes(), [
    [0, Outcome.Returned],
    [1, Outcome.Killed],
  ]);
  host.children[1]!.finish();
  assert.deepEqual(outcomes()[2], [2, Outcome.Returned]);
});

test('a successor is made before it is asked for', async () => {
  const { host, bound } = open(3);
  (await bound()).exit('killed');
  await until(() => host.children.length === 2);
});

test('an invocation that never gets to start is handed back', async () => {
  const { host, outcomes, invoke, bound } = open(1);
  await bound();
  invoke();
  for (let tries = 1; outcomes().length === 0; tries++) {
    assert.ok(tries <= 3, 'for ever');
    await until(() => host.children.at(-1)!.inFlight === 1);
    host.children.at(-1)!.exit('notStarted');
    await until(() => outcomes().length > 0 || host.children.length === tries + 1);
  }
  assert.deepEqual(outcomes(), [[0, Outcome.NotStarted]]);
});

test('invocations that wait for a successor that does not load end like the load', async () => {
  const { host, outcomes, invoke, bound, warnings } = open(1);
  const first = await bound();
  host.loadsAtOnce = false;
  first.exit('killed');
  await until(() => host.loads.length === 2);
  invoke();
  host.loads[1]!.fail(loadError('failed'));
  await until(() => outcomes().length === 1);
  assert.deepEqual(outcomes(), [[0, Outcome.Failed]]);
  invoke();
  await until(() => host.loads.length === 3);
  host.loads[2]!.fail(new Error('the language host is closing'));
  await until(() => outcomes().length === 2);
  assert.deepEqual(outcomes()[1], [1, Outcome.NotStarted]);
  assert.match(warnings.join('\n'), /no process for f\/0: .*closing/);
});

test('an Unbind ends the processes, hands back what waits, and is answered when nothing is left', async () => {
  const { worker, host, packages, sent, outcomes, invoke, bound } = open(1);
  const child = await bound();
  invoke();
  invoke();
  worker.unbind();
  assert.equal(worker.targetKey, undefined);
  assert.equal(child.isKilled, true);
  assert.deepEqual(outcomes(), [[1, Outcome.NotStarted]]);
  await new Promise(setImmediate);
  assert.deepEqual([sent, packages.givenBack], [[], []], 'the process is still there');
  child.exit('killed');
  await until(() => sent.length === 1);
  assert.deepEqual(sent, [{ kind: Kind.Unbound, worker: 0 }]);
  assert.deepEqual(packages.givenBack, [DIGEST]);
  assert.deepEqual(outcomes()[1], [0, Outcome.Killed]);
  assert.equal(host.loads.length, 1);
});

test('a Bind for a bound worker ends the target that it had, and does not wait for that', async () => {
  const { worker, host, packages, sent, outcomes, invoke, bound } = open(1);
  const first = await bound();
  invoke();
  const second = await bound({ targetKey: 'g/0', packageDigest: 'e'.repeat(64) });
  assert.deepEqual([worker.targetKey, first.isKilled], ['g/0', true]);
  first.exit('killed');
  assert.deepEqual(outcomes(), [[0, Outcome.Killed]]);
  await until(() => packages.givenBack.length === 1);
  assert.deepEqual(packages.givenBack, [DIGEST]);
  invoke();
  second.finish();
  assert.deepEqual(outcomes()[1], [1, Outcome.Returned]);
  assert.deepEqual([sent, host.loads.length], [[], 2]);
});

test('an Unbind in the middle of a load gives the load up', async () => {
  const { worker, host, packages, sent } = open();
  host.loadsAtOnce = false;
  worker.bind(BIND);
  await until(() => host.loads.length === 1);
  worker.unbind();
  assert.equal(host.loads[0]!.signal.aborted, true);
  const late = host.loads[0]!.succeed();
  await until(() => sent.length === 1);
  assert.deepEqual([sent, packages.givenBack], [[{ kind: Kind.Unbound, worker: 0 }], [DIGEST]]);
  assert.equal(worker.targetKey, undefined);
  assert.equal(late.inFlight, 0);
});

test('an Unbind before the package is there keeps no package', async () => {
  const { worker, host, packages, sent } = open();
  let arrive: () => void = () => undefined;
  packages.gate = new Promise((resolve) => (arrive = resolve));
  worker.bind(BIND);
  worker.unbind();
  await until(() => sent.length === 1);
  arrive();
  await until(() => packages.taken.length === 1);
  await until(() => packages.givenBack.length === 1, 'the package to be given back');
  assert.deepEqual([sent, host.loads], [[{ kind: Kind.Unbound, worker: 0 }], []]);
});

test('an Unbind of a free worker is answered', async () => {
  const { worker, sent } = open();
  worker.unbind();
  await until(() => sent.length === 1);
  assert.deepEqual(sent, [{ kind: Kind.Unbound, worker: 0 }]);
});

test('closing ends what runs, and says nothing', async () => {
  const { worker, sent, bound } = open();
  const child = await bound();
  let isClosed = false;
  const closed = worker.close().then(() => (isClosed = true));
  await new Promise(setImmediate);
  assert.deepEqual([isClosed, child.isKilled], [false, true]);
  child.exit('killed');
  await closed;
  assert.deepEqual(sent, []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, resultOf, type FunctionSource, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

const TIMEOUT = 'Function execution timeout.';
const RESOURCES = 'Function execution failed because of too much resource consumption';
const KEPT_LOG_BYTES = 65_536;

const PYTHON = `
import os, signal, sys, time

def main(way='fine'):
    print('before', way)
    sys.stdout.flush()
    return globals()[way]()

def fine():
    return 'fine'

def raises():
    raise ValueError('went wrong')

def sleeps():
    time.sleep(600)

def spins():
    while True:
        pass

def exits():
    os._exit(3)

def exits_well():
    os._exit(0)

def leaves():
    sys.exit('left')

def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)

def is_big():
    held = b'x' * (400 * 1024 * 1024)
    time.sleep(600)
    return len(held)

def is_deep():
    return is_deep()

def talks():
    for _ in range(20000):
        print('x' * 99)
    return 'done'

def talks_for_ever():
    while True:
        print('x' * 99)

def is_a_set():
    return {1, 2}

def is_nan():
    return float('nan')

def opens():
    return [open(os.devnull) for _ in range(2000)]

def forks():
    children = []
    try:
        for _ in range(1000):
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
                os._exit(0)
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
`;

const NODEJS = `
const ways = {
  fine: () => 'fine',
  exits: () => process.exit(3),
  exitsWell: () => process.exit(),
  throwsLater: () => new Promise(() => setImmediate(() => { throw new Error('too late'); })),
  isCircular: () => { const held = {}; held.held = held; return held; },
  isBigint: () => 1n,
};
exports.main = (context, input) => ways[input === null ? 'fine' : input.way]();
`;

interface Failure {
  /** A sentence that ends with "..., and the next execution works". */
  readonly name: string;
  readonly way: string;
  readonly output: string | RegExp;
  readonly log?: RegExp;
  /** Killed before its end could be written into the log. */
  readonly isCutShort?: boolean;
}

const PYTHON_FAILURES: readonly Failure[] = [
  { name: 'an exception', way: 'raises', output: 'went wrong', log: /Traceback [^]*ValueError: went wrong\n/ },
  { name: 'SystemExit', way: 'leaves', output: 'left' },
  { name: 'an exit with a code', way: 'exits', output: RESOURCES, isCutShort: true },
  { name: 'an exit without a result', way: 'exits_well', output: /ended before/, isCutShort: true },
  { name: 'a kill', way: 'is_killed', output: RESOURCES, isCutShort: true },
  { name: 'too much memory', way: 'is_big', output: RESOURCES, isCutShort: true },
  { name: 'endless recursion', way: 'is_deep', output: /recursion/ },
  { name: 'a value that is no JSON', way: 'is_a_set', output: /not JSON serializable/i },
  { name: 'NaN', way: 'is_nan', output: /JSON/ },
  { name: 'too many open files', way: 'opens', output: /Too many open files/ },
];

const NODEJS_FAILURES: readonly Failure[] = [
  { name: 'process.exit(3)', way: 'exits', output: RESOURCES, isCutShort: true },
  { name: 'process.exit()', way: 'exitsWell', output: /ended before/, isCutShort: true },
  { name: 'an exception outside the promise', way: 'throwsLater', output: /too late/ },
  { name: 'a circular value', way: 'isCircular', output: /circular|JSON/i },
  { name: 'a bigint', way: 'isBigint', output: /BigInt|JSON/i },
];

async function startApi(t: Parameters<typeof makeFolder>[0]): Promise<Api> {
  return new Api((await Server.start(t, makeFolder(t).path)).url);
}

async function assertFails(api: Api, functionId: string, failure: Failure): Promise<void> {
  const execution = await api.execute(functionId, { way: failure.way });
  assert.equal(execution['status'], 'failed', JSON.stringify(execution));
  const { output, duration } = resultOf(execution);
  if (typeof failure.output === 'string') assert.equal(output, failure.output);
  else assert.match(String(output), failure.output);
  assert.equal(typeof duration, 'number');
  await assertLog(api, execution, failure);
  assert.equal(resultOf(await api.execute(functionId)).output, 'fine');
}

async function assertLog(api: Api, execution: Resource, { log, isCutShort = false }: Failure): Promise<void> {
  const text = await api.log(execution.id);
  assert.ok(text.startsWith(`Start execution: ${execution.id}\n`), text);
  assert.equal(text.endsWith(`Finished execution: ${execution.id}\n`), !isCutShort, text);
  if (log !== undefined) assert.match(text, log);
}

test('a Python function that fails ends its own execution only', async (t) => {
  const api = await startApi(t);
  const source: FunctionSource = { files: { 'main.py': PYTHON }, timeout: 60, cpu: 1000 };
  const { id } = await api.createFunction(source);

  for (const failure of PYTHON_FAILURES) {
    await t.test(`by ${failure.name}, and the next execution works`, () => assertFails(api, id, failure));
  }

  await t.test('by too many processes, and the next execution works', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('functions share our user, whose other processes count');
    const { id } = await api.createFunction({ ...source, memorySize: 1024 * 1024 * 1024 });
    await assertFails(api, id, { name: '', way: 'forks', output: RESOURCES });
  });

  await t.test('by no fault of its own where it prints more than is kept', async () => {
    const execution = await api.execute(id, { way: 'talks' });
    assert.equal(resultOf(execution).output, 'done', JSON.stringify(execution));
    const log = await api.log(execution.id);
    assert.ok(log.length > KEPT_LOG_BYTES && log.length < KEPT_LOG_BYTES + 1_000, `${log.length} characters`);
    assert.match(log, /log cut/);
  });
});

test('a Python function that takes too long is ended', async (t) => {
  const api = await startApi(t);
  const { id } = await api.createFunction({ files: { 'main.py': PYTHON }, timeout: 1, cpu: 1000 });

  for (const way of ['sleeps', 'spins', 'talks_for_ever']) {
    await t.test(`when it ${way.replaceAll('_', ' ')}, and the next execution works`, async () => {
      const failure: Failure = {
        name: way,
        way,
        output: TIMEOUT,
        isCutShort: true,
        log: new RegExp(`\nbefore ${way}\n`),
      };
      await assertFails(api, id, failure);
    });
  }

  await t.test('at its limit, which its result tells', async () => {
    const { duration = 0 } = resultOf(await api.execute(id, { way: 'sleeps' }));
    assert.ok(duration >= 1, String(duration));
  });
});

test('a function that cannot be loaded fails with the reason', async (t) => {
  const api = await startApi(t);
  const good = { 'main.py': 'def main():\n    return "fine"\n' };
  const sources: readonly (FunctionSource & { readonly name: string; readonly output: RegExp })[] = [
    { name: 'an entry without a dot', files: good, entry: 'main', output: /main/ },
    { name: 'an unknown module', files: good, entry: 'nothing.main', output: /nothing/ },
    { name: 'an unknown function', files: good, entry: 'main.nothing', output: /nothing/ },
    { name: 'a missing import', files: { 'main.py': 'import nothing_there\n' }, output: /nothing_there/ },
    { name: 'a syntax error', files: { 'main.py': 'def main(:\n' }, output: /invalid syntax/ },
    { name: 'an exception of its module', files: { 'main.py': 'raise ValueError("bad day")\n' }, output: /bad day/ },
    { name: 'an exit of its module', files: { 'main.py': 'import os\nos._exit(1)\n' }, output: /failed/ },
  ];
  const works = await api.createFunction({ files: good });

  for (const { name, output, ...source } of sources) {
    await t.test(`by ${name}, and others work`, async () => {
      const { id } = await api.createFunction(source);
      const execution = await api.execute(id);
      assert.equal(execution['status'], 'failed', JSON.stringify(execution));
      assert.match(String(resultOf(execution).output), output);
      assert.equal(resultOf(await api.execute(works.id)).output, 'fine');
    });
  }
});

test('a Node.js function that fails ends its own execution only', async (t) => {
  const api = await startApi(t);
  const { id } = await api.createFunction({ runtime: 'nodejs', files: { 'main.js': NODEJS }, cpu: 1000 });

  for (const failure of NODEJS_FAILURES) {
    await t.test(`by ${failure.name}, and the next execution works`, () => assertFails(api, id, failure));
  }
});

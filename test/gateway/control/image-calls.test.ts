import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImageCalls } from '../../../gateway/control/image-calls.ts';
import type { CallEnd, ProgramExit } from '../../../gateway/invoke/call.ts';
import { makeTarget } from '../../../gateway/invoke/target.ts';
import {
  ImageFault,
  ImageTrouble,
  type ImageRun,
  type ImageRunner,
  type LeftImageRun,
} from '../../../gateway/orchestrator/image-runner.ts';

const END: ProgramExit = { exitCode: 0, durationMs: 1_000, log: Buffer.from('printed'), isLogCut: false };
const targetOf = (functionId: string) =>
  makeTarget({
    functionId,
    version: 0,
    projectId: 'p',
    runtimeId: '',
    poolName: '',
    packageDigest: '',
    entry: '',
    cpuMillicores: 100,
    memoryBytes: 1_000,
    timeoutMs: 5_000,
    image: 'team/tool:1',
    retry: null,
  });

/** Containers that end when a test says so. */
class FakeRunner implements ImageRunner {
  readonly runs: { readonly run: ImageRun; end(end: ProgramExit): void; fail(error: Error): void }[] = [];
  readonly leftRuns: LeftImageRun[] = [];
  isClosed = false;

  run(run: ImageRun): Promise<ProgramExit> {
    return new Promise((resolve, reject) => this.runs.push({ run, end: resolve, fail: reject }));
  }

  async left(): Promise<LeftImageRun[]> {
    return this.leftRuns;
  }

  close(): void {
    this.isClosed = true;
  }
}

function open(maxRunning = 1, maxWaiting = 1) {
  const runner = new FakeRunner();
  const calls = new ImageCalls(runner, { maxRunning, maxWaiting });
  const ends: string[] = [];
  const show = (end: CallEnd) => (end.kind === 'refused' ? end.error.code : end.kind);
  const invoke = (
    executionId: string,
    more: { deadlineMs?: number; prepare?: () => Promise<boolean>; input?: Uint8Array; functionId?: string } = {},
  ) =>
    calls.invoke({
      executionId,
      target: targetOf(more.functionId ?? 'f'),
      input: more.input ?? Buffer.from('{"__function_input": "two words"}'),
      deadlineMs: more.deadlineMs ?? performance.now() + 60_000,
      prepare: more.prepare,
      onEnd: (call, end) => ends.push(`${call.executionId}: ${show(end)}`),
    });
  return { runner, calls, ends, invoke };
}

/** Whatever is due without a timer is done. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a call runs a container with the function’s limits, and ends as it does', async () => {
  const { runner, ends, invoke } = open();
  invoke('a');
  await settled();
  assert.deepEqual(runner.runs[0]!.run, {
    invocationId: 'a',
    functionId: 'f',
    image: 'team/tool:1',
    args: ['two', 'words'],
    cpuMillicores: 100,
    memoryBytes: 1_000,
    timeoutMs: 5_000,
  });
  runner.runs[0]!.end(END);
  await settled();
  assert.deepEqual(ends, ['a: exited']);
});

test('calls beyond those that may run wait, and beyond those that may wait are refused', async () => {
  const { runner, ends, invoke } = open();
  for (const name of ['a', 'b', 'c']) invoke(name);
  invoke('unbounded', { deadlineMs: Number.POSITIVE_INFINITY });
  await settled();
  assert.deepEqual(ends, ['c: TOO_BUSY']);
  for (let count = 0; count < 3; count++) {
    assert.equal(runner.runs.length, count + 1);
    runner.runs[count]!.end(END);
    await settled();
  }
  assert.deepEqual(ends, ['c: TOO_BUSY', 'a: exited', 'b: exited', 'unbounded: exited']);
});

test('functions whose calls wait take turns', async () => {
  const { runner, invoke } = open(1, 9);
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2']) invoke(name, { functionId: name[0]! });
  await settled();
  for (let count = 0; count < 6; count++) {
    runner.runs[count]!.end(END);
    await settled();
  }
  assert.deepEqual(
    runner.runs.map(({ run }) => run.invocationId),
    ['a1', 'a2', 'b1', 'a3', 'b2', 'a4'],
  );
});

test('a call that waits too long is refused, and its place is another’s', async () => {
  const { runner, ends, invoke } = open();
  invoke('a');
  invoke('late', { deadlineMs: performance.now() + 1 });
  while (ends.length === 0) await settled();
  assert.deepEqual(ends, ['late: TOO_BUSY']);
  invoke('b');
  runner.runs[0]!.end(END);
  await settled();
  assert.equal(runner.runs[1]!.run.invocationId, 'b');
});

test('an image that cannot be run, and a call that is withdrawn or not recorded, free their place', async () => {
  const { runner, ends, invoke } = open(1, 9);
  invoke('a');
  invoke('withdrawn', { prepare: async () => false });
  invoke('unrecorded', { prepare: () => Promise.reject(new Error('disk full')) });
  invoke('last');
  await settled();
  runner.runs[0]!.fail(new ImageFault(ImageTrouble.NotPulled, new Error('no such image')));
  await settled();
  assert.deepEqual(ends, ['a: failed', 'withdrawn: withdrawn', 'unrecorded: UNAVAILABLE']);
  assert.equal(runner.runs[1]!.run.invocationId, 'last');
});

test('what waits at the end is refused, what runs is left', async () => {
  const { runner, calls, ends, invoke } = open();
  invoke('a');
  invoke('b');
  calls.close();
  invoke('c');
  await settled();
  assert.deepEqual(ends, ['b: SHUTTING_DOWN', 'c: SHUTTING_DOWN']);
  assert.equal(runner.isClosed, true);
});

test('what an earlier process left brings its end to who awaits it, and is removed where nobody does', async () => {
  const { runner, calls, invoke } = open();
  const removed: string[] = [];
  const left = (invocationId: string, end: () => Promise<ProgramExit>): LeftImageRun => {
    return { invocationId, end, remove: async () => void removed.push(invocationId) };
  };
  let endFirst!: (end: ProgramExit) => void;
  runner.leftRuns.push(
    left('awaited', () => new Promise((resolve) => (endFirst = resolve))),
    left('lost', () => Promise.reject(new Error('it was not started'))),
    left('orphan', () => Promise.resolve(END)),
  );
  const told: [string, number | undefined][] = [];
  await calls.takeOver(async (id) => (id === 'orphan' ? undefined : (end) => told.push([id, end?.exitCode])));
  await settled();
  assert.deepEqual([told, removed], [[['lost', undefined]], ['orphan']]);
  invoke('waits for its place');
  await settled();
  assert.equal(runner.runs.length, 0);
  endFirst(END);
  await settled();
  assert.deepEqual(told[1], ['awaited', 0]);
  assert.equal(runner.runs.length, 1);
});

test('calls that may wait for ever take no place of those that may not', async () => {
  const { ends, invoke } = open(1, 1);
  invoke('running');
  for (const id of ['a', 'b', 'c']) invoke(id, { deadlineMs: Number.POSITIVE_INFINITY });
  invoke('waiting');
  invoke('refused');
  await settled();
  assert.deepEqual(ends, ['refused: TOO_BUSY']);
});

test('what the inputs of waiting calls hold is bounded, and free again when they no longer wait', async () => {
  const { runner, ends, invoke } = open(1, 10);
  const input = new Uint8Array(200 * 1024 * 1024);
  input.fill(0x20);
  input.set(Buffer.from('{"a": 1}'));
  invoke('running');
  invoke('waiting', { input });
  invoke('refused', { input });
  await settled();
  assert.deepEqual(ends, ['refused: TOO_BUSY']);
  runner.runs[0]!.end(END);
  await settled();
  assert.equal(runner.runs.length, 2);
  invoke('next', { input });
  await settled();
  assert.deepEqual(ends, ['refused: TOO_BUSY', 'running: exited']);
});

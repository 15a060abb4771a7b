import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAlive, logOf, pidsOf, processesGone, programsOf, until, valueOf } from './language-host-rig.ts';
import type { Rig, Subject } from './language-host-rig.ts';

const BRIEF_MS = 300;
const MIB = 1024 * 1024;

/** How processes end, and what ends with them. */
export function endPromises(rig: () => Rig): void {
  for (const name of ['sleeps', 'spins']) {
    test(`a function that ${name} is ended at its time limit, and another process goes on`, async (t) => {
      const subject = await rig().load(t, `main.${name}`);
      const outcome = await subject.invoke({}, BRIEF_MS);
      assert.equal(outcome.kind, 'timeout');
      assert.ok(outcome.durationMicros >= BRIEF_MS * 1_000, String(outcome.durationMicros));
      assert.equal(logOf(outcome), name === 'sleeps' ? 'asleep\n' : '');
      await subject.ended;
      assert.equal(isAlive(subject.child.pid), false);
      assert.equal(valueOf(await rig().run(t, 'main.echo', { value: 1 })), 1);
    });
  }

  test('the time limit counts from when an invocation is at the head', async (t) => {
    const subject = await rig().load(t, 'main.sleeps');
    const first = subject.invoke({}, 2 * BRIEF_MS);
    const second = subject.invoke({}, BRIEF_MS);
    assert.equal((await first).kind, 'timeout');
    assert.equal((await second).kind, 'notStarted');
  });

  test('the end of a process takes what it started with it: children, theirs, and those of other sessions', async (t) => {
    const subject = await rig().load(t, 'main.start_programs');
    const outcome = subject.invoke({ stay: true });
    await until(() => programsOf(rig().scratchDirectory).length === 3, 'its programs');
    const pids = programsOf(rig().scratchDirectory);
    subject.child.kill();
    assert.equal((await outcome).kind, 'killed');
    await processesGone([subject.child.pid, ...pids]);
  });

  test('programs may outlive an invocation, but not the process', async (t) => {
    const subject = await rig().load(t, 'main.start_programs');
    const outcome = await subject.invoke({ stay: false });
    assert.equal(valueOf(outcome), null);
    const pids = pidsOf(logOf(outcome));
    assert.deepEqual(pids.map(isAlive), [true, true, true]);
    await subject.end();
    await processesGone(pids);
  });

  for (const [what, entry, input, kind] of [
    ['a crash', 'main.crash', {}, 'killed'],
    ['exit with a code', 'main.leave', { code: 3 }, 'killed'],
    ['exit without a result', 'main.leave', { code: 0 }, 'exited'],
  ] as const) {
    test(`${what} ends its invocation as ${kind}; those behind it did not start`, async (t) => {
      const subject = await rig().load(t, entry);
      const [first, second, third] = await Promise.all([
        subject.invoke(input),
        subject.invoke(input),
        subject.invoke(input),
      ]);
      assert.deepEqual([first.kind, second.kind, third.kind], [kind, 'notStarted', 'notStarted']);
      if (entry === 'main.leave') assert.equal(logOf(first), 'leaving\n');
      assert.equal(logOf(second), '');
      assert.equal(subject.child.isAlive, false);
      assert.equal(subject.child.inFlight, 0);
      await subject.ended;
    });
  }

  test('results before a kill are kept', async (t) => {
    const subject = await rig().load(t, 'main.sleeps_if_told');
    const answered = Promise.all([subject.invoke({ stay: false }), subject.invoke({ stay: false })]);
    const stuck = subject.invoke({ stay: true }, BRIEF_MS);
    assert.deepEqual((await answered).map(valueOf), ['awake', 'awake']);
    assert.equal((await stuck).kind, 'timeout');
  });

  test('a process that is killed while idle says so', async (t) => {
    const subject = await rig().load(t, 'main.echo');
    await subject.end();
    assert.equal(subject.child.isAlive, false);
    assert.equal(isAlive(subject.child.pid), false);
  });

  test('a process that takes more memory than it may is ended', async (t) => {
    const subject = await rig().load(t, 'main.hold', { memoryBytes: 64 * MIB });
    assert.equal((await subject.invoke({ bytes: 512 * MIB, stay: true })).kind, 'killed');
    await subject.ended;
  });

  test('a process that takes less memory than it may is not', async (t) => {
    const subject = await rig().load(t, 'main.hold', { memoryBytes: 256 * MIB });
    assert.equal(valueOf(await subject.invoke({ bytes: 64 * MIB, stay: false })), 64 * MIB);
  });

  test('idle processes are made anew as they are taken', async (t) => {
    const subjects: Subject[] = [];
    for (let count = 0; count < 5; count++) subjects.push(await rig().load(t, 'main.echo'));
    assert.equal(new Set(subjects.map(({ child }) => child.pid)).size, 5);
    await until(() => rig().host.idleCount === 2, 'two idle processes');
  });
}

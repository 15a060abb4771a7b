import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_LOG_BYTES } from '../../protocol/limits.ts';
import { PATIENCE_MS, logOf, valueOf, type Rig } from './language-host-rig.ts';

const MIB = 1024 * 1024;
const BRIEF_MS = 500;
const ROUNDS = 200;

/** What a function prints. */
export function logPromises(rig: () => Rig): void {
  test('what is printed by the language, on descriptors 1 and 2, and by a program is in the log', async (t) => {
    const outcome = await rig().run(t, 'main.print_everywhere', { value: 'one' });
    assert.deepEqual(logOf(outcome).trim().split('\n').sort(), [
      'descriptor 1 one',
      'descriptor 2 one',
      'language error one',
      'language one',
      'program one',
    ]);
    assert.equal(outcome.isLogCut, false);
  });

  test('each invocation has its own log, also when they are given together', async (t) => {
    const subject = await rig().load(t, 'main.print_everywhere');
    const names = ['one', 'two', 'three'];
    const outcomes = await Promise.all(names.map((value) => subject.invoke({ value })));
    for (const [index, outcome] of outcomes.entries()) {
      const lines = logOf(outcome).trim().split('\n');
      assert.equal(lines.length, 5);
      assert.ok(
        lines.every((line) => line.endsWith(` ${names[index]}`)),
        logOf(outcome),
      );
    }
  });

  test('a silent invocation has an empty log, also after an import that prints', async (t) => {
    const subject = await rig().load(t, 'main.echo');
    assert.equal(logOf(await subject.invoke({ value: 1 })), '');
  });

  test('a log that is too long is cut, and neither blocks nor fails the function', async (t) => {
    const subject = await rig().load(t, 'main.flood');
    const outcome = await subject.invoke({ bytes: 8 * MIB });
    assert.equal(valueOf(outcome), 'done');
    assert.equal(outcome.log.length, MAX_LOG_BYTES);
    assert.equal(outcome.isLogCut, true);
    const next = await subject.invoke({ bytes: 1024 });
    assert.equal(next.log.length, 1024);
    assert.equal(next.isLogCut, false);
  });

  test('an endless log ends with the time limit, and its head is kept', async (t) => {
    const outcome = await (await rig().load(t, 'main.flood_for_ever')).invoke({}, BRIEF_MS);
    assert.equal(outcome.kind, 'timeout');
    assert.equal(outcome.log.length, MAX_LOG_BYTES);
    assert.equal(outcome.isLogCut, true);
    assert.equal(logOf(outcome), `${'x'.repeat(1023)}\n`.repeat(64));
  });

  test('text of a followed invocation is told while it runs', async (t) => {
    const subject = await rig().load(t, 'main.sleeps');
    const outcome = subject.invoke();
    const followed = subject.follow();
    await followed.reaches('asleep\n'.length);
    assert.equal(followed.text, 'asleep\n');
    subject.child.kill();
    assert.equal(logOf(await outcome), 'asleep\n');
  });

  test('who begins to follow later is told all from the beginning', async (t) => {
    const subject = await rig().load(t, 'main.sleeps');
    const outcome = subject.invoke();
    await subject.follow().reaches('asleep\n'.length);
    await subject.follow().reaches('asleep\n'.length);
    subject.child.kill();
    await outcome;
  });

  test('of a flood that is followed as much is told as is kept', async (t) => {
    const subject = await rig().load(t, 'main.flood_for_ever');
    const outcome = subject.invoke({}, PATIENCE_MS);
    const followed = subject.follow();
    await followed.reaches(MAX_LOG_BYTES);
    subject.child.kill();
    assert.equal(followed.text, logOf(await outcome));
  });

  test('what is told of one of many short invocations is its own text', async (t) => {
    const subject = await rig().load(t, 'main.prints');
    const names = Array.from({ length: ROUNDS }, (_, index) => `invocation-${index}`);
    const outcomes = names.map((name) => subject.invoke({ value: name }, PATIENCE_MS, name));
    const followed = names.map((name) => subject.follow(name));
    for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
      const log = logOf(outcome);
      assert.equal(log, `${names[index]}\n`);
      assert.ok(log.startsWith(followed[index]!.text), `${followed[index]!.text} was told of ${log}`);
    }
  });

  test('who stops to follow is told no more, and what runs goes on', async (t) => {
    const subject = await rig().load(t, 'main.sleeps_if_told');
    const first = subject.invoke({ stay: false }, PATIENCE_MS, 'first');
    subject.follow('first');
    assert.ok(subject.child.follow('first', undefined));
    assert.equal(valueOf(await first), 'awake');
    assert.equal(
      subject.child.follow('first', () => assert.fail('it is over')),
      false,
    );
    assert.equal(valueOf(await subject.invoke({ stay: false })), 'awake');
  });
}

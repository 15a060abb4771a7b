import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_LOG_BYTES } from '../../protocol/limits.ts';
import { logOf, valueOf, type Rig } from './language-host-rig.ts';

const MIB = 1024 * 1024;
const BRIEF_MS = 500;

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
}

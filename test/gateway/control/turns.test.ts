import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../../gateway/control/turns.ts';

/** Work that the test ends. */
function openWork() {
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () =>
    new Promise<string>((resolve, reject) => {
      log.push(`begin ${name}`);
      ends.set(name, () => {
        log.push(`end ${name}`);
        if (name.startsWith('bad')) reject(new Error(name));
        else resolve(name);
      });
    });
  return { log, work, end: (name: string) => ends.get(name)!() };
}

test('work on one key runs in the order of the calls, one after the other', async () => {
  const { log, work, end } = openWork();
  const turns = new Turns();
  const first = turns.run('key', work('first'));
  const second = turns.run('key', work('second'));
  await Promise.resolve();

  end('first');
  assert.equal(await first, 'first');
  await new Promise(setImmediate);
  end('second');

  assert.equal(await second, 'second');
  assert.deepEqual(log, ['begin first', 'end first', 'begin second', 'end second']);
});

test('work on other keys does not wait', async () => {
  const { log, work, end } = openWork();
  const turns = new Turns();
  const all = [turns.run('a', work('one')), turns.run('b', work('two'))];
  await new Promise(setImmediate);
  assert.deepEqual(log, ['begin one', 'begin two']);
  end('one');
  end('two');
  await Promise.all(all);
});

test('work that fails tells its caller, and the next runs', async () => {
  const { work, end } = openWork();
  const turns = new Turns();
  const bad = turns.run('key', work('bad'));
  const good = turns.run('key', () => Promise.resolve('good'));
  const thrower = turns.run('key', () => {
    throw new Error('at once');
  });
  await Promise.resolve();
  end('bad');

  await assert.rejects(bad, /bad/);
  assert.equal(await good, 'good');
  await assert.rejects(thrower, /at once/);
});

test('nothing is kept of a key once its work is done', async () => {
  const turns = new Turns();
  await Promise.all(['a', 'b', 'a'].map((key) => turns.run(key, () => Promise.resolve())));
  await new Promise(setImmediate);
  assert.equal(turns.size, 0);
});

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ChangeWatch } from '../../../gateway/control/change-watch.ts';
import { openSqliteStore } from '../../../gateway/store/sqlite/sqlite-store.ts';
import { functionRecord } from '../../support/store-records.ts';
import { databasePath } from '../../support/throw-away-store.ts';

const ROUND_MS = 1_000;

/** A watch over a store, beside another store on the same database; `round` lets it look once. */
async function openRig(t: TestContext) {
  const path = databasePath();
  const open = async () => {
    const store = await openSqliteStore({ path, synchronous: 'normal' });
    t.after(() => store.close());
    return store;
  };
  const [own, other] = [await open(), await open()];
  t.mock.timers.enable({ apis: ['setTimeout'] });
  // A store that finds the database busy tries again by a timer: time goes on, much more slowly than rounds take.
  const clock = setInterval(() => t.mock.timers.tick(1), 1);
  t.after(() => clearInterval(clock));
  const seen = { changes: 0, faults: 0 };
  const watch = new ChangeWatch(own, { onChange: () => seen.changes++, onFault: () => seen.faults++ });
  const round = async () => {
    t.mock.timers.tick(ROUND_MS);
    await new Promise(setImmediate);
  };
  await other.functions.insert(functionRecord());
  await watch.start();
  return { own, other, watch, seen, round };
}

test('changes by another process are told a second later, those of a second at once', async (t) => {
  const { other, seen, round } = await openRig(t);

  await other.functions.insert(functionRecord());
  await other.functions.insert(functionRecord());
  assert.equal(seen.changes, 0);
  await round();
  assert.equal(seen.changes, 1);
  await other.functions.insert(functionRecord());
  await round();

  assert.deepEqual(seen, { changes: 2, faults: 0 });
});

test('changes from before the start, and the own ones, are not told', async (t) => {
  const { own, seen, round } = await openRig(t);

  await own.functions.insert(functionRecord());
  await round();
  await round();

  assert.deepEqual(seen, { changes: 0, faults: 0 });
});

test('a look that fails is told, and the next one sees what was missed', async (t) => {
  const { own, other, seen, round } = await openRig(t);
  const failing = t.mock.method(own, 'foreignChanges', () => Promise.reject(new Error('the disk is gone')));
  await other.functions.insert(functionRecord());

  await round();
  assert.deepEqual(seen, { changes: 0, faults: 1 });
  failing.mock.restore();
  await round();

  assert.deepEqual(seen, { changes: 1, faults: 1 });
});

test('after its end a watch looks no more', async (t) => {
  const { own, watch, round } = await openRig(t);
  const looks = t.mock.method(own, 'foreignChanges');
  await round();
  assert.equal(looks.mock.callCount(), 1);

  watch.close();
  await round();

  assert.equal(looks.mock.callCount(), 1);
});

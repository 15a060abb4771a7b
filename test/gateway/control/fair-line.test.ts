import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairLine } from '../../../gateway/control/fair-line.ts';

function takeAll<Item>(line: FairLine<Item>): Item[] {
  const taken: Item[] = [];
  for (let item = line.shift(); item !== undefined; item = line.shift()) taken.push(item);
  return taken;
}

test('owners take turns, and of each the first goes first', () => {
  const line = new FairLine<string>();
  for (const item of ['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'c2']) line.push(item[0]!, item);
  assert.deepEqual(takeAll(line), ['a1', 'b1', 'c1', 'a2', 'c2', 'a3', 'a4']);
});

test('what is taken out by name does not come, and its owner’s turn with it', () => {
  const line = new FairLine<string>();
  for (const item of ['a1', 'a2', 'b1', 'c1']) line.push(item[0]!, item);
  line.delete('a', 'a1');
  line.delete('b', 'b1');
  line.delete('b', 'b1');
  line.delete('nobody', 'c1');
  assert.deepEqual(takeAll(line), ['a2', 'c1']);
});

test('all that came and stayed comes out once, and no owner is two turns ahead of one who waits', () => {
  const owners = ['a', 'b', 'c', 'd'];
  const coming = fc.array(fc.record({ owner: fc.constantFrom(...owners), isDeleted: fc.boolean() }));
  fc.assert(
    fc.property(coming, (all) => {
      const line = new FairLine<(typeof all)[number]>();
      for (const item of all) line.push(item.owner, item);
      for (const item of all) if (item.isDeleted) line.delete(item.owner, item);
      const taken = takeAll(line);
      const stayed = all.filter(({ isDeleted }) => !isDeleted);
      assert.equal(taken.length, stayed.length);
      assert.deepEqual(new Set(taken), new Set(stayed));
      for (let count = 1; count <= taken.length; count++) {
        const turnsOf = (owner: string, until: number) =>
          taken.slice(0, until).filter((item) => item.owner === owner).length;
        const waiting = owners.filter((owner) => turnsOf(owner, count) < turnsOf(owner, taken.length));
        const most = Math.max(...owners.map((owner) => turnsOf(owner, count)));
        for (const owner of waiting) assert.ok(turnsOf(owner, count) >= most - 1);
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AliasConflict, type AliasRecord } from '../../gateway/store/store.ts';
import { collect } from '../support/collect.ts';
import { aliasRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

export function aliasPromises(open: OpenStore): void {
  test('an alias is read by its name, within its project', async (t) => {
    const { aliases } = await open(t);
    const mine = aliasRecord({ projectId: 'a', name: 'live ü', functionVersion: 3, description: 'd' });
    const theirs = aliasRecord({ projectId: 'b', name: 'live ü', updatedAt: 9 });
    assert.equal(await aliases.insert(mine), undefined);
    assert.equal(await aliases.insert(theirs), undefined);

    assert.deepEqual(await aliases.getNamed('a', 'live ü'), mine);
    assert.deepEqual(await aliases.getNamed('b', 'live ü'), theirs);
    assert.equal(await aliases.getNamed('c', 'live ü'), undefined);
    assert.equal(await aliases.getNamed('a', 'LIVE Ü'), undefined);
    assert.deepEqual(await aliases.listNamed('live ü', 9), [mine, theirs]);
    assert.deepEqual(await aliases.listNamed('live ü', 1), [mine]);
    assert.deepEqual(await aliases.listNamed('other', 9), []);
    assert.deepEqual(await aliases.get(mine.id, 'a'), mine);
    assert.deepEqual(await aliases.get(mine.id, null), mine);
    assert.equal(await aliases.get(mine.id, 'b'), undefined);
    assert.equal(await aliases.get('unknown', null), undefined);
  });

  test('a project has each name once, and one alias for each function and version', async (t) => {
    const { aliases } = await open(t);
    const first = aliasRecord({ functionVersion: 1 });
    await aliases.insert(first);
    const { name, functionId } = first;

    const refused: [Partial<AliasRecord>, AliasConflict][] = [
      [{ name }, AliasConflict.Name],
      [{ functionId, functionVersion: 1 }, AliasConflict.Target],
      [{ name, functionId, functionVersion: 1 }, AliasConflict.Name],
    ];
    for (const [change, conflict] of refused) assert.equal(await aliases.insert(aliasRecord(change)), conflict);

    const taken = [
      aliasRecord({ functionId, functionVersion: 0 }),
      aliasRecord({ name, functionId, functionVersion: 1, projectId: 'other' }),
    ];
    for (const record of taken) assert.equal(await aliases.insert(record), undefined);
    assert.deepEqual(await collect(aliases.list({ scope: null, filters: [] })), [first, ...taken]);
  });

  test('of aliases that come together under one name the first is added, and the others fail alone', async (t) => {
    const { aliases } = await open(t);
    const rivals = Array.from({ length: 3 }, () => aliasRecord({ name: 'one' }));
    const bystander = aliasRecord();

    const added = await Promise.all([...rivals, bystander].map((record) => aliases.insert(record)));

    assert.deepEqual(added, [undefined, AliasConflict.Name, AliasConflict.Name, undefined]);
    assert.deepEqual(await aliases.getNamed('default', 'one'), rivals[0]);
    assert.deepEqual(await aliases.getNamed('default', bystander.name), bystander);
  });

  test('a change of an alias touches what it names and updatedAt', async (t) => {
    const { aliases } = await open(t);
    const record = aliasRecord({ description: 'old' });
    await aliases.insert(record);

    const moved = await aliases.update(record.id, { functionVersion: 2 });
    const updatedAt = (moved as AliasRecord).updatedAt;
    assert.ok(updatedAt !== null);
    assert.deepEqual(moved, { ...record, functionVersion: 2, updatedAt });
    assert.deepEqual(await aliases.getNamed('default', record.name), moved);
    const described = await aliases.update(record.id, { functionId: 'f', description: null });
    assert.deepEqual(described, {
      ...record,
      functionId: 'f',
      functionVersion: 2,
      description: null,
      updatedAt: (described as AliasRecord).updatedAt,
    });
    assert.equal(await aliases.update('unknown', { functionVersion: 2 }), undefined);
  });

  test('an alias cannot be moved to where another one of its project is, but to where it is itself', async (t) => {
    const { aliases } = await open(t);
    const [one, two] = [aliasRecord(), aliasRecord()];
    await aliases.insert(one);
    await aliases.insert(two);

    assert.equal(await aliases.update(two.id, { functionId: one.functionId }), AliasConflict.Target);
    assert.deepEqual(await aliases.getNamed('default', two.name), two);
    assert.notEqual(typeof (await aliases.update(two.id, { functionId: two.functionId })), 'string');
  });

  test('a deleted alias is gone, and its name and target are free', async (t) => {
    const { aliases } = await open(t);
    const record = aliasRecord();
    await aliases.insert(record);

    assert.equal(await aliases.delete(record.id), true);
    assert.equal(await aliases.delete(record.id), false);

    assert.equal(await aliases.getNamed('default', record.name), undefined);
    assert.equal(await aliases.insert({ ...record, id: 'another' }), undefined);
  });

  test('it is known whether an alias of any project points at a function, or at a version', async (t) => {
    const { aliases } = await open(t);
    const record = aliasRecord({ projectId: 'a', functionId: 'f', functionVersion: 2 });
    await aliases.insert(record);

    assert.deepEqual([await aliases.hasFunction('f'), await aliases.hasFunction('g')], [true, false]);
    assert.deepEqual([await aliases.hasVersion('f', 2), await aliases.hasVersion('f', 0)], [true, false]);
    await aliases.delete(record.id);
    assert.deepEqual([await aliases.hasFunction('f'), await aliases.hasVersion('f', 2)], [false, false]);
  });

  test('aliases are listed in the order of creation, then id, page by page, those in scope', async (t) => {
    const { aliases } = await open(t);
    const records = Array.from({ length: 25 }, (_, index) =>
      aliasRecord({ createdAt: 1_000 + Math.floor(index / 4), projectId: index % 5 === 0 ? 'rare' : 'default' }),
    );
    await Promise.all(records.map((record) => aliases.insert(record)));
    records.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));

    const listed: AliasRecord[] = [];
    while (listed.length < records.length) {
      const page = await collect(aliases.list({ scope: null, filters: [], after: listed.at(-1), limit: 4 }));
      assert.equal(page.length, Math.min(4, records.length - listed.length));
      listed.push(...page);
    }
    assert.deepEqual(listed, records);
    assert.deepEqual(await collect(aliases.list({ scope: null, filters: [] })), records);
    const ofRare = records.filter(({ projectId }) => projectId === 'rare');
    const filters = [{ field: 'projectId', operator: 'neq', values: ['default'] }] as const;
    assert.deepEqual(await collect(aliases.list({ scope: 'rare', filters: [] })), ofRare);
    assert.deepEqual(await collect(aliases.list({ scope: null, filters })), ofRare);
  });

  test('a list of aliases goes on where it was when the last one of a page was deleted', async (t) => {
    const { aliases } = await open(t);
    const records = Array.from({ length: 4 }, () => aliasRecord());
    for (const record of records) await aliases.insert(record);
    await aliases.delete(records[1]!.id);

    const rest = aliases.list({ scope: null, filters: [], after: records[1] });
    assert.deepEqual(await collect(rest), records.slice(2));
  });
}

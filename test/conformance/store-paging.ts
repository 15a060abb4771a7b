import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  AliasRecord,
  Chunks,
  ExecutionRecord,
  Filter,
  FunctionRecord,
  Page,
  Place,
  Store,
} from '../../gateway/store/store.ts';
import { collect } from '../support/collect.ts';
import { aliasRecord, executionRecord, finalRecord, functionRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const MANY = 100_000;
const GROUP = 1_000;
const EVERYTHING = { scope: null, filters: [] } as const;

/** Records that are listed, whichever they are. */
interface Listed {
  readonly name: string;
  readonly make: (projectId: string) => AliasRecord | ExecutionRecord | FunctionRecord;
  readonly insert: (store: Store, record: Place) => Promise<void>;
  readonly list: (store: Store, page: Page) => Chunks<Place>;
  readonly delete: (store: Store, id: string) => Promise<boolean>;
}

const LISTED: readonly Listed[] = [
  {
    name: 'functions',
    make: (projectId) => functionRecord({ projectId }),
    insert: (store, record) => store.functions.insert(record as FunctionRecord),
    list: (store, page) => store.functions.list(page),
    delete: (store, id) => store.functions.delete(id),
  },
  {
    name: 'executions',
    make: (projectId) => finalRecord({ projectId }),
    insert: (store, record) => store.executions.insert(record as ExecutionRecord, null),
    list: (store, page) => store.executions.list(page),
    delete: (store, id) => store.executions.delete(id),
  },
  {
    name: 'aliases',
    make: (projectId) => aliasRecord({ projectId }),
    insert: async (store, record) => void (await store.aliases.insert(record as AliasRecord)),
    list: (store, page) => store.aliases.list(page),
    delete: (store, id) => store.aliases.delete(id),
  },
];

export function pagingPromises(open: OpenStore): void {
  test('functions that were created at the same time are listed in the order of their ids', async (t) => {
    const { functions } = await open(t);
    const records = Array.from({ length: 25 }, (_, index) =>
      functionRecord({ createdAt: 1_000 + Math.floor(index / 4) }),
    );
    await Promise.all(records.map((record) => functions.insert(record)));
    records.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));

    assert.deepEqual(await collect(functions.list(EVERYTHING)), records);
    for (let after = 0; after < records.length; after++) {
      const rest = await collect(functions.list({ ...EVERYTHING, after: records[after] }));
      assert.deepEqual(rest, records.slice(after + 1));
    }
  });

  for (const { name, make, insert, list, delete: remove } of LISTED) {
    test(`pages of ${name} have each record once, in the order of creation`, async (t) => {
      const store = await open(t);
      const records = Array.from({ length: 25 }, () => make('default'));
      await Promise.all(records.toReversed().map((record) => insert(store, record)));

      for (const limit of [1, 4, 5, 24, 25, 26]) {
        const listed: Place[] = [];
        for (let isLast = false; !isLast;) {
          const page = await collect(list(store, { ...EVERYTHING, after: listed.at(-1), limit }));
          assert.equal(page.length, Math.min(limit, records.length - listed.length));
          isLast = page.length < limit;
          listed.push(...page);
        }
        assert.deepEqual(listed, records);
      }
      assert.deepEqual(await collect(list(store, { ...EVERYTHING, limit: 0 })), []);
    });

    test(`a list of ${name} of one project has none of another, wherever it begins`, async (t) => {
      const store = await open(t);
      const records = Array.from({ length: 12 }, (_, index) => make(index % 3 === 0 ? 'ours' : 'theirs'));
      for (const record of records) await insert(store, record);
      const ours = records.filter(({ projectId }) => projectId === 'ours');

      const page = { scope: 'ours', filters: [], limit: 2 };

      assert.deepEqual(await collect(list(store, page)), ours.slice(0, 2));
      assert.deepEqual(await collect(list(store, { ...page, after: records[4] })), ours.slice(2, 4));
      assert.deepEqual(await collect(list(store, { ...page, scope: 'nobody' })), []);
    });

    test(`a page of ${name} follows the record before it also when that is gone`, async (t) => {
      const store = await open(t);
      const records = Array.from({ length: 4 }, () => make('default'));
      for (const record of records) await insert(store, record);
      await remove(store, records[1]!.id);

      const rest = await collect(list(store, { ...EVERYTHING, after: records[1], limit: 2 }));

      assert.deepEqual(rest, records.slice(2));
    });

    test(`a list of ${name} goes on while its records are deleted and others are added`, async (t) => {
      const store = await open(t);
      const records = Array.from({ length: 3_000 }, () => make('default'));
      await Promise.all(records.map((record) => insert(store, record)));
      const added = make('default');

      const listed: Place[] = [];
      for await (const chunk of list(store, EVERYTHING)) {
        if (listed.length === 0) await insert(store, added);
        listed.push(...chunk);
        await remove(store, chunk.at(-1)!.id);
      }

      assert.deepEqual(listed, [...records, added]);
    });

    test(`a list of ${name} is read chunk by chunk, and lets others have their turn`, async (t) => {
      const store = await open(t);
      const records = Array.from({ length: 10_000 }, () => make('default'));
      await Promise.all(records.map((record) => insert(store, record)));
      const ofNone: Filter = { field: 'projectId', operator: 'has', values: ['nothing like this'] };

      const chunks: number[] = [];
      const turns = await turnsDuring(async () => {
        for await (const chunk of list(store, EVERYTHING)) chunks.push(chunk.length);
      });
      const turnsWithoutRecords = await turnsDuring(async () => {
        assert.deepEqual(await collect(list(store, { ...EVERYTHING, filters: [ofNone] })), []);
      });

      assert.ok(Math.max(...chunks) <= 1_000 && Math.min(...chunks) > 0, String(chunks));
      assert.ok(turns >= chunks.length - 1, `${turns} turns between ${chunks.length} chunks`);
      assert.ok(turnsWithoutRecords >= 2, `${turnsWithoutRecords} turns in a search of 10,000 records`);
    });
  }

  test('chunks of large executions have few of them', async (t) => {
    const { executions } = await open(t);
    const output = JSON.stringify('x'.repeat(300_000));
    const records = Array.from({ length: 12 }, () => finalRecord({ output }));
    for (const record of records) await executions.insert(record, null);

    const chunks: (readonly ExecutionRecord[])[] = [];
    for await (const chunk of executions.list(EVERYTHING)) chunks.push(chunk);

    assert.ok(Math.max(...chunks.map(({ length }) => length)) <= 3);
    assert.deepEqual(chunks.flat(), records);
  });

  test('a hundred thousand executions are listed once each, also through filters that few of them pass', async (t) => {
    const { executions } = await open(t);
    const rare: string[] = [];
    for (let index = 0; index < MANY; index += GROUP) {
      const isRare = index % 20_000 === 0;
      const one = isRare ? executionRecord({ functionId: 'rare', description: 'rare one' }) : finalRecord();
      if (isRare) rare.push(one.id);
      const others = Array.from({ length: GROUP - 1 }, () => finalRecord());
      await Promise.all([one, ...others].map((record) => executions.insert(record, null)));
    }

    let count = 0;
    let last = '';
    for await (const records of executions.list(EVERYTHING)) {
      count += records.length;
      for (const { id } of records) {
        assert.ok(id > last);
        last = id;
      }
    }
    assert.equal(count, MANY);
    const filters: Filter[] = [
      { field: 'functionId', operator: 'eq', values: ['rare'] },
      { field: 'functionId', operator: 'in', values: ['rare', 'unknown'] },
      { field: 'description', operator: 'has', values: ['rare'] },
      { field: 'status', operator: 'eq', values: ['running'] },
    ];
    for (const filter of filters) {
      for (const scope of [null, 'default']) {
        const found = await collect(executions.list({ scope, filters: [filter] }));
        assert.deepEqual(idsOf(found), rare);
        const [, ...rest] = await collect(executions.list({ scope, filters: [filter], after: found[1], limit: 3 }));
        assert.deepEqual(idsOf(rest), rare.slice(3, 5));
      }
    }
  });
}

/** How many turns of the event loop others had meanwhile. */
async function turnsDuring(run: () => Promise<void>): Promise<number> {
  let turns = 0;
  let next = setImmediate(function count() {
    turns++;
    next = setImmediate(count);
  });
  await run();
  clearImmediate(next);
  return turns;
}

const idsOf = (records: readonly Place[]): string[] => records.map(({ id }) => id);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionStore, Filter } from '../../gateway/store/store.ts';
import { executionRecord, finalRecord, functionRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

const MANY = 100_000;
const GROUP = 1_000;

export function pagingPromises(open: OpenStore): void {
  test('functions are listed in the order of creation, then id, page by page', async (t) => {
    const { functions } = await open(t);
    const records = Array.from({ length: 25 }, (_, index) =>
      functionRecord({ createdAt: 1_000 + Math.floor(index / 4) }),
    );
    await Promise.all(records.map((record) => functions.insert(record)));
    records.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));

    const listed = [];
    for (let after: string | undefined; listed.length < records.length; after = listed.at(-1)!.id) {
      const page = await functions.list({ scope: null, filters: [], after, limit: 4 });
      assert.equal(page.length, Math.min(4, records.length - listed.length));
      listed.push(...page);
    }
    assert.deepEqual(listed, records);
    assert.deepEqual(await functions.list({ scope: null, filters: [], after: listed.at(-1)!.id, limit: 4 }), []);
  });

  test('a list goes on where it was when the last record of a page was deleted', async (t) => {
    const { functions, executions } = await open(t);
    const someFunctions = Array.from({ length: 4 }, () => functionRecord());
    const someExecutions = Array.from({ length: 4 }, () => finalRecord());
    for (const record of someFunctions) await functions.insert(record);
    for (const record of someExecutions) await executions.insert(record, null);
    const functionPage = await functions.list({ scope: null, filters: [], limit: 2 });
    const executionPage = await executions.list({ scope: null, filters: [], limit: 2 });
    await functions.delete(functionPage[1]!.id);
    await executions.delete(executionPage[1]!.id);

    const nextFunctions = await functions.list({ scope: null, filters: [], after: functionPage[1]!.id, limit: 2 });
    const nextExecutions = await executions.list({ scope: null, filters: [], after: executionPage[1]!.id, limit: 2 });

    assert.deepEqual(nextFunctions, someFunctions.slice(2));
    assert.deepEqual(nextExecutions, someExecutions.slice(2));
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
    for await (const ids of pages(executions, [], 1_000)) {
      count += ids.length;
      for (const id of ids) {
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
      const found: string[] = [];
      for await (const ids of pages(executions, [filter], 2)) found.push(...ids);
      assert.deepEqual(found, rare);
    }
  });
}

async function* pages(executions: ExecutionStore, filters: readonly Filter[], limit: number): AsyncIterable<string[]> {
  for (let after: string | undefined; ;) {
    const ids = (await executions.list({ scope: null, filters, after, limit })).map(({ id }) => id);
    yield ids;
    if (ids.length < limit) return;
    after = ids.at(-1)!;
  }
}

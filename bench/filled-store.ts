import { join } from 'node:path';
import { DataDirectory } from '../gateway/data-directory.ts';
import { ExecutionIds } from '../gateway/execution-id.ts';
import { openSqliteStore } from '../gateway/store/sqlite/sqlite-store.ts';
import type { Store } from '../gateway/store/store.ts';
import { finalRecord, functionRecord, runtimeRecord } from '../test/support/store-records.ts';

const GROUP = 10_000;

/** Many records, put straight into the store of a product that does not run yet. */
export interface Filling {
  /** Name of the runtime of all functions: an image that the product knows. */
  readonly runtime: string;
  readonly functions: number;
  /** Spread over the functions, all of them finished of late. */
  readonly executions: number;
}

/** Resolves with the ids of the functions. */
export async function fillStore(folder: string, { runtime, functions, executions }: Filling): Promise<string[]> {
  const data = new DataDirectory(join(folder, 'data'));
  const store = await openSqliteStore({ path: data.database, synchronous: 'normal' });
  const { id: runtimeId } = await addRuntime(store, runtime);
  const ids: string[] = [];
  await inGroups(functions, (index) => {
    const record = functionRecord({ runtimeId, name: `function ${index}`, packageDigest: DIGEST });
    ids.push(record.id);
    return store.functions.insert(record);
  });
  const executionIds = new ExecutionIds();
  const template = finalRecord({});
  const begunAtMs = Date.now() - executions;
  await inGroups(executions, (index) => {
    const createdAt = begunAtMs + index; // of late, so that they are not removed for their age
    const functionId = ids[index % ids.length]!;
    return store.executions.insert({ ...template, id: executionIds.next(createdAt), functionId, createdAt }, null);
  });
  await store.close();
  data.close();
  return ids;
}

/** Of a package that nobody fetches. */
const DIGEST = '0'.repeat(64);

async function addRuntime(store: Store, name: string) {
  const record = runtimeRecord({ name, image: name, isPublic: true });
  await store.runtimes.insert(record);
  return record;
}

async function inGroups(count: number, insert: (index: number) => Promise<void>): Promise<void> {
  for (let index = 0; index < count; index += GROUP) {
    await Promise.all(Array.from({ length: Math.min(GROUP, count - index) }, (_, offset) => insert(index + offset)));
  }
}

import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../gateway/store/sqlite/sqlite-store.ts';
import type { Store } from '../../gateway/store/store.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** The path of a database file that is not there yet; its folder goes when the test is over. */
export function databasePath(cleaner: Cleaner): string {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-store-'));
  cleaner.after(() => remove(folder));
  return join(folder, 'qinling.sqlite');
}

/** A real, empty store, gone when the test is over. */
export async function openThrowAwayStore(cleaner: Cleaner): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-store-'));
  const store = await openSqliteStore({ path: join(folder, 'qinling.sqlite'), synchronous: 'normal' });
  cleaner.after(async () => {
    await store.close();
    await remove(folder);
  });
  return store;
}

/** Opens real stores of several gateways on the same records; all are gone when the test is over. */
export function openSharedStores(cleaner: Cleaner): (gatewayId: string) => Promise<Store> {
  const path = databasePath(cleaner); // its folder goes last: what is registered first is cleaned up last
  return async (gatewayId) => {
    const store = await openSqliteStore({ path, synchronous: 'normal', gatewayId });
    cleaner.after(() => store.close());
    return store;
  };
}

/** SQLite may be about to remove files of its own. Looks again what is there, which the synchronous one does not. */
function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10 });
}

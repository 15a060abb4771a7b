import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../gateway/store/sqlite/sqlite-store.ts';
import type { Store } from '../../gateway/store/store.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * The path of a database file that is not there yet. Its folder goes with this process: what a test registers runs in the
 * order in which it was registered, so that stores opened on the path would be closed after the folder is gone; and where
 * timers are mocked, the removal of a folder that is not empty yet would wait for ever.
 */
export function databasePath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-store-'));
  folders.push(folder);
  return join(folder, 'qinling.sqlite');
}

/** A real, empty store, closed when the test is over. */
export async function openThrowAwayStore(cleaner: Cleaner): Promise<Store> {
  const store = await openSqliteStore({ path: databasePath(), synchronous: 'normal' });
  cleaner.after(() => store.close());
  return store;
}

/** Opens real stores of several gateways on the same records; all are closed when the test is over. */
export function openSharedStores(cleaner: Cleaner): (gatewayId: string) => Promise<Store> {
  const path = databasePath();
  return async (gatewayId) => {
    const store = await openSqliteStore({ path, synchronous: 'normal', gatewayId });
    cleaner.after(() => store.close());
    return store;
  };
}

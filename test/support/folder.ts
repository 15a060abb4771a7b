import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** An empty folder that goes when the test is over. */
export function emptyFolder(cleaner: Cleaner, parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'qinling-test-'));
  cleaner.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

import { openSqliteStore } from '../../../../gateway/store/sqlite/sqlite-store.ts';
import { executionLog, finalRecord } from '../../../support/store-records.ts';

/**
 * A process that inserts executions until somebody kills it, and prints the id of each once its promise resolved.
 * Argument: the path of the database.
 */
const GROUP = 8;
const store = await openSqliteStore({ path: process.argv[2]!, synchronous: 'normal' });
for (;;) {
  const group = Array.from({ length: GROUP }, async () => {
    const record = finalRecord();
    await store.executions.insert(record, executionLog('printed'));
    process.stdout.write(`${record.id}\n`);
  });
  await Promise.all(group);
  if (process.stdout.writableNeedDrain) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

import { openSqliteStore } from '../../../../gateway/store/sqlite/sqlite-store.ts';
import { executionRecord } from '../../../support/store-records.ts';

/** Opens the store of a path, writes one record (of a time of its own, since its key is made of it) and says so; waits for the end of its input before it closes. */
const store = await openSqliteStore({ path: process.argv[2]!, synchronous: 'normal' });
await store.executions.insert(executionRecord({ createdAt: Date.now() + Number(process.argv[3]) * 60_000 }), null);
process.stdout.write('written\n');
process.stdin.resume().once('end', () => void store.close());

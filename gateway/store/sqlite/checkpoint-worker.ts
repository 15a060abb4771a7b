import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { openDatabase, isBusy, type DatabaseOptions } from './database.ts';

/**
 * A thread that copies the write-ahead log into the database: PASSIVE every 100 ms, and now and then RESTART, without
 * which the log file only grows. On the gateway's own thread each of these would stop it for 5-28 ms.
 */
const PASSIVE_MS = 100;
const RESTART_PAGES = 4_000; // 16 MiB of 4 KiB pages
const RESTART_BUSY_MS = 20;

function run(port: MessagePort): void {
  const database = openDatabase(workerData as DatabaseOptions);
  database.pragma(`busy_timeout = ${RESTART_BUSY_MS}`);
  const timer = setInterval(() => {
    try {
      const [passive] = database.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
      if (passive!.log > RESTART_PAGES && passive!.log === passive!.checkpointed) {
        database.pragma('wal_checkpoint(RESTART)');
      }
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
  }, PASSIVE_MS);
  port.once('message', () => {
    clearInterval(timer);
    database.close();
    port.close();
  });
}

if (parentPort !== null) run(parentPort);

import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { openDatabase, isBusy, type DatabaseOptions } from './database.ts';

/**
 * A thread that copies the write-ahead log into the database: PASSIVE, and now and then RESTART, without which the log
 * file only grows. On the gateway's own thread each of these would stop it for 5-28 ms.
 *
 * A log that was copied whole begins anew with the next write, which then waits for its head to be on the disk: 0.3 ms and
 * more. So a small log is let be for a while; one that grows is copied often, in small portions.
 */
const LOOK_MS = 100;
const SMALL_PAGES = 1_000; // 4 MiB of 4 KiB pages
const SMALL_LOOKS = 10;
const RESTART_PAGES = 4_000;
const RESTART_BUSY_MS = 20;

function run(port: MessagePort): void {
  const database = openDatabase(workerData as DatabaseOptions);
  database.pragma(`busy_timeout = ${RESTART_BUSY_MS}`);
  const copy = (mode: 'PASSIVE' | 'RESTART') =>
    (database.pragma(`wal_checkpoint(${mode})`) as { log: number; checkpointed: number }[])[0]!;
  let looksToSkip = 0;
  const timer = setInterval(() => {
    if (looksToSkip-- > 0) return;
    try {
      const { log, checkpointed } = copy('PASSIVE');
      looksToSkip = log < SMALL_PAGES ? SMALL_LOOKS - 1 : 0;
      if (log > RESTART_PAGES && log === checkpointed) copy('RESTART');
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
  }, LOOK_MS);
  port.once('message', () => {
    clearInterval(timer);
    database.close();
    port.close();
  });
}

if (parentPort !== null) run(parentPort);

import { createServer } from 'node:http';
import { PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/**
 * Looks at the heap of the process it is loaded into (`NODE_OPTIONS=--import=…/heap-probe.js`). Answers on the socket that
 * the variable names; a request for `/collect` collects garbage first.
 */
export const HEAP_PROBE_SOCKET = 'TEST_HEAP_PROBE_SOCKET';

export interface HeapState {
  readonly usedBytes: number;
  /** Collections since the start: between two that differ, `usedBytes` does not tell what was allocated. */
  readonly collections: number;
}

function answer(socket: string): void {
  let collections = 0;
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  observer.observe({ entryTypes: ['gc'] });
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const server = createServer((request, response) => {
    if (request.url === '/collect') collect();
    onLaterTurn(() => {
      collections += observer.takeRecords().length;
      const state: HeapState = { usedBytes: process.memoryUsage().heapUsed, collections };
      response.end(JSON.stringify(state));
    });
  });
  server.listen(socket).unref();
}

/** A turn after a collection the observer has it, and is told of it one later. */
function onLaterTurn(then: () => void): void {
  setImmediate(() => setImmediate(then));
}

const socket = process.env[HEAP_PROBE_SOCKET];
if (socket !== undefined && isMainThread) answer(socket);

import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import assert from 'node:assert/strict';

/** This machine as pods of the test cluster see it. */
const MACHINE = '10.90.0.1';
const RETRY_MS = 100;
/** The request was not taken: sending it again cannot run anything twice. */
const NOT_TAKEN = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** A function that tells a RunCounter each time it begins, then works for a while. */
export const COUNTED = {
  'main.py': `
import time, urllib.request

def main(url, number, seconds):
    urllib.request.urlopen('%s/%d' % (url, number)).read()
    time.sleep(seconds)
    return number
`,
};

/** Counts the runs of functions by what they say of themselves, from inside of their pods. */
export class RunCounter {
  readonly #server: Server;
  readonly #counts = new Map<number, number>();

  constructor() {
    this.#server = createServer((request, response) => {
      const number = Number(request.url!.slice(1));
      this.#counts.set(number, this.count(number) + 1);
      response.end();
    });
  }

  /** Resolves with the address for functions. */
  async open(): Promise<string> {
    this.#server.listen(0, '0.0.0.0');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    assert.ok(typeof address === 'object' && address !== null);
    return `http://${MACHINE}:${address.port}`;
  }

  /** How often the run of that number began. */
  count(number: number): number {
    return this.#counts.get(number) ?? 0;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/**
 * A synchronous execution as a careful caller asks for it: again where the service was not there or said so, and only
 * then. Resolves with the record.
 */
export async function executePatiently(
  url: string,
  functionId: string,
  input: object,
): Promise<Record<string, unknown>> {
  const body = JSON.stringify({ function_id: functionId, input: JSON.stringify(input) });
  const headers = { 'content-type': 'application/json', connection: 'close' };
  for (;;) {
    try {
      const response = await fetch(`${url}/v1/executions`, { method: 'POST', headers, body });
      if (response.status === 201) return (await response.json()) as Record<string, unknown>;
      assert.equal(response.status, 503, await response.text());
      assert.ok(response.headers.has('retry-after'));
    } catch (error) {
      const { code = '' } = ((error as Error).cause ?? {}) as { code?: string };
      if (!NOT_TAKEN.has(code)) throw new Error(`a call was lost: ${code}`, { cause: error });
    }
    await sleep(RETRY_MS);
  }
}

/** Runs work for each number from 0, so many at a time. */
export async function forEachNumber(
  count: number,
  atATime: number,
  work: (number: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atATime }, lane));
}

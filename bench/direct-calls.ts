import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile } from './harness.ts';
import { ANSWER, HELLO, INPUT } from './hello.ts';
import { HostClient } from './host-client.ts';

/**
 * Calls the hello function of a language straight through its host, for so many seconds whenever it is asked to.
 *
 *   fork('direct-calls.js', [LANGUAGE])
 */
export interface DirectCalls {
  readonly calls: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function main(language: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-host-'));
  const client = await HostClient.start(folder, language, HELLO[language]!);
  process.on('message', (seconds: number) => void measure(client, seconds).then((result) => process.send!(result)));
  process.on('disconnect', () => {
    void client.close().then(() => rmSync(folder, { recursive: true, force: true }));
  });
  process.send!('ready');
}

async function measure(client: HostClient, seconds: number): Promise<DirectCalls> {
  const input = Buffer.from(JSON.stringify(INPUT));
  const output = await client.call(input);
  if (output !== JSON.stringify(ANSWER)) throw new Error(`the function returned ${output}`);
  const latencies: number[] = [];
  const endAtMs = performance.now() + seconds * 1000;
  for (let begunAtMs = performance.now(); begunAtMs < endAtMs;) {
    await client.call(input);
    const nowMs = performance.now();
    latencies.push(nowMs - begunAtMs);
    begunAtMs = nowMs;
  }
  return { calls: latencies.length, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

await main(process.argv[2] ?? '');

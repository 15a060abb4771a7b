import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface LoadOptions {
  readonly url: string;
  /** JSON text that is sent with every POST. */
  readonly body: string;
  /** Connections that each send the next request when they have the answer to the last. */
  readonly connections: number;
  /** Whole seconds. */
  readonly durationSeconds: number;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
}

interface WrkResult {
  readonly requests: number;
  readonly durationMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly faults: number;
  readonly errorStatuses: number;
}

/** Sends POSTs from a process of its own; the door to wrk. Rejects where wrk is missing or any request failed. */
export async function runLoad({ url, body, connections, durationSeconds }: LoadOptions): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-load-'));
  try {
    const script = join(folder, 'load.lua');
    writeFileSync(script, wrkScript(body));
    const args = ['--threads', '1', '--connections', String(connections), '--timeout', '10s'];
    args.push('--duration', `${durationSeconds}s`, '--script', script, url);
    const { stdout } = await execute('wrk', args).catch(explain);
    return toLoadResult(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function wrkScript(body: string): string {
  return `wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/json'
wrk.body = [==[${body}]==]
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"durationMicros":%d,"p50Micros":%d,"p99Micros":%d,"faults":%d,"errorStatuses":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
`;
}

function explain(cause: unknown): never {
  if ((cause as { code?: unknown }).code === 'ENOENT') {
    throw new Error('the load generator wrk is missing: apt-get install wrk', { cause });
  }
  throw cause;
}

function toLoadResult(stdout: string): LoadResult {
  const [, json] = /^RESULT (.*)$/m.exec(stdout) ?? [];
  if (json === undefined) throw new Error(`wrk printed no result:\n${stdout}`);
  const { requests, durationMicros, p50Micros, p99Micros, faults, errorStatuses } = JSON.parse(json) as WrkResult;
  if (faults + errorStatuses > 0) throw new Error(`${faults} requests failed, ${errorStatuses} were refused`);
  return {
    requests,
    requestsPerSecond: requests / (durationMicros / 1_000_000),
    p50Ms: p50Micros / 1000,
    p99Ms: p99Micros / 1000,
  };
}

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Bodies that are sent in an order, again and again. */
export interface MixedBodies {
  /** JSON texts without line breaks. */
  readonly bodies: readonly string[];
  /** Places in `bodies`. */
  readonly order: readonly number[];
}

export interface LoadOptions {
  readonly url: string;
  /** JSON text that is sent with every POST, or several in turn. */
  readonly body: string | MixedBodies;
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
  /** Of the answers, with their heads. */
  readonly bytes: number;
}

interface WrkResult {
  readonly requests: number;
  readonly bytes: number;
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
    writeFileSync(script, wrkScript(typeof body === 'string' ? sameBody(body) : mixedBodies(folder, body)));
    const args = ['--threads', '1', '--connections', String(connections), '--timeout', '10s'];
    args.push('--duration', `${durationSeconds}s`, '--script', script, url);
    const { stdout } = await execute('wrk', args).catch(explain);
    return toLoadResult(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function sameBody(body: string): string {
  return `wrk.body = [==[${body}]==]\n`;
}

/** Requests are made before the clock starts. */
function mixedBodies(folder: string, { bodies, order }: MixedBodies): string {
  const [bodyFile, orderFile] = [join(folder, 'bodies'), join(folder, 'order')];
  writeFileSync(bodyFile, `${bodies.join('\n')}\n`);
  writeFileSync(orderFile, `${order.join('\n')}\n`);
  return `local requests, order, at = {}, {}, -1
init = function(args)
  for body in io.lines('${bodyFile}') do requests[#requests + 1] = wrk.format(nil, nil, nil, body) end
  for place in io.lines('${orderFile}') do order[#order + 1] = tonumber(place) + 1 end
end
request = function()
  at = at + 1 -- from -1: wrk asks for one to look at, and does not send it
  return requests[order[math.max(at - 1, 0) % #order + 1]]
end
`;
}

function wrkScript(ofBody: string): string {
  return `wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/json'
${ofBody}
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"bytes":%d,"durationMicros":%d,"p50Micros":%d,"p99Micros":%d,"faults":%d,"errorStatuses":%d}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
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
  const result = JSON.parse(json) as WrkResult;
  const { requests, bytes, durationMicros, p50Micros, p99Micros, faults, errorStatuses } = result;
  if (faults + errorStatuses > 0) throw new Error(`${faults} requests failed, ${errorStatuses} were refused`);
  return {
    requests,
    bytes,
    requestsPerSecond: requests / (durationMicros / 1_000_000),
    p50Ms: p50Micros / 1000,
    p99Ms: p99Micros / 1000,
  };
}

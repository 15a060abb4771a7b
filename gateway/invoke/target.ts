import type { RetryPolicy } from '../store/attempts.ts';

/** What a call runs once aliases are resolved: a function's version with its code and limits. */
export interface Target {
  /** Names what is loaded: changes with everything that needs a fresh worker, and with nothing else. */
  readonly key: string;
  readonly functionId: string;
  /** 0 is the function as it is. */
  readonly version: number;
  readonly projectId: string;
  readonly runtimeId: string;
  readonly poolName: string;
  readonly packageDigest: string;
  readonly entry: string;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly timeoutMs: number;
  /** Of an image function, which has no runtime, pool, package or entry (they are empty); else null. */
  readonly image: string | null;
  /** For asynchronous executions that are accepted now. */
  readonly retry: RetryPolicy | null;
}

/** The function and version that a target's key names. */
export function namedBy(targetKey: string): { functionId: string; version: number } {
  const [functionId = '', version] = targetKey.split('/', 2);
  return { functionId, version: Number(version) };
}

/** A target with the key that its fields make. */
export function makeTarget(fields: Omit<Target, 'key'>): Target {
  const { functionId, version, poolName, packageDigest, cpuMillicores, memoryBytes, entry } = fields;
  const digest = packageDigest.slice(0, 16);
  return { key: [functionId, version, poolName, digest, cpuMillicores, memoryBytes, entry].join('/'), ...fields };
}

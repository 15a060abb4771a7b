import type { FunctionRecord } from '../store/store.ts';

/** What a call runs once aliases are resolved: a function's version with its code and limits. */
export interface Target {
  /** Names what is loaded: changes with everything that needs a fresh worker, and with nothing else. */
  readonly key: string;
  readonly functionId: string;
  readonly version: number;
  readonly projectId: string;
  readonly runtimeId: string;
  readonly poolName: string;
  readonly packageDigest: string;
  readonly entry: string;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly timeoutMs: number;
}

/** The function that a target's key names. */
export function functionIdOf(targetKey: string): string {
  return targetKey.split('/', 1)[0]!;
}

/** The target of a package function's version 0. */
export function toTarget(record: FunctionRecord, runtimeId: string, poolName: string, packageDigest: string): Target {
  const entry = record.entry ?? 'main.main';
  const { id: functionId, cpuMillicores, memoryBytes, projectId } = record;
  const version = 0;
  const digest = packageDigest.slice(0, 16);
  return {
    key: [functionId, version, poolName, digest, cpuMillicores, memoryBytes, entry].join('/'),
    functionId,
    version,
    projectId,
    runtimeId,
    poolName,
    packageDigest,
    entry,
    cpuMillicores,
    memoryBytes,
    timeoutMs: record.timeoutSeconds * 1000,
  };
}

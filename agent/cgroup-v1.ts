import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuQuotaMicros, type CgroupLayout } from './cgroup-layout.ts';

const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;
/** Of memory and swap together; there where the kernel counts it. */
const SWAP_LIMIT = 'memory.memsw.limit_in_bytes';

/** Control groups of version 1 below `root`; undefined where there are none. */
export function findCgroupsV1(root: string, own: Readonly<Record<string, string>>): CgroupLayout | undefined {
  const parents: string[] = [];
  for (const controller of CONTROLLERS) {
    const hierarchy = join(root, controller);
    if (!existsSync(join(hierarchy, 'cgroup.procs'))) return undefined;
    const above = join(hierarchy, own[controller] ?? '');
    parents.push(existsSync(above) ? above : hierarchy); // in a container /proc may tell the host's path
  }
  const countsSwap = existsSync(join(parents[0]!, SWAP_LIMIT));
  return {
    parents,
    prepare: () => undefined,
    limit: (paths, memoryBytes, cpuMillicores) => limit(paths, memoryBytes, cpuMillicores, countsSwap),
  };
}

/** A group's CPU period is CPU_PERIOD_MICROS from the start. */
function limit(paths: readonly string[], memoryBytes: number, cpuMillicores: number, countsSwap: boolean): void {
  const [memory, cpu] = paths;
  const usedBytes = Number(readFileSync(join(memory!, 'memory.usage_in_bytes'), 'utf8'));
  const limitBytes = String(usedBytes + memoryBytes);
  writeFileSync(join(memory!, 'memory.limit_in_bytes'), limitBytes);
  if (countsSwap) writeFileSync(join(memory!, SWAP_LIMIT), limitBytes);
  writeFileSync(join(cpu!, 'cpu.cfs_quota_us'), String(cpuQuotaMicros(cpuMillicores)));
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CPU_PERIOD_MICROS, cpuQuotaMicros, type CgroupLayout } from './cgroup-layout.ts';

const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;

/** Control groups of version 1 below `root`; undefined where there are none. */
export function findCgroupsV1(root: string, own: Readonly<Record<string, string>>): CgroupLayout | undefined {
  const parents: string[] = [];
  for (const controller of CONTROLLERS) {
    const hierarchy = join(root, controller);
    if (!existsSync(join(hierarchy, 'cgroup.procs'))) return undefined;
    const above = join(hierarchy, own[controller] ?? '');
    parents.push(existsSync(above) ? above : hierarchy); // in a container /proc may tell the host's path
  }
  return { parents, prepare: () => undefined, limit };
}

function limit(paths: readonly string[], memoryBytes: number, cpuMillicores: number): void {
  const [memory, cpu] = paths;
  const usedBytes = Number(readFileSync(join(memory!, 'memory.usage_in_bytes'), 'utf8'));
  const limitBytes = String(usedBytes + memoryBytes);
  writeFileSync(join(memory!, 'memory.limit_in_bytes'), limitBytes);
  const withSwap = join(memory!, 'memory.memsw.limit_in_bytes'); // where the kernel counts swap
  if (existsSync(withSwap)) writeFileSync(withSwap, limitBytes);
  writeFileSync(join(cpu!, 'cpu.cfs_period_us'), String(CPU_PERIOD_MICROS));
  writeFileSync(join(cpu!, 'cpu.cfs_quota_us'), String(cpuQuotaMicros(cpuMillicores)));
}

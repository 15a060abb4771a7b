import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CPU_PERIOD_MICROS, cpuQuotaMicros, type CgroupLayout } from './cgroup-layout.ts';

const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;

/**
 * Control groups of version 2 below `root`; undefined where they are not there or not ours to use.
 *
 * A group with processes in it cannot limit groups below it, so our own is of no use: the nearest one above us that can
 * is taken. Processes are never moved to make room.
 */
export function findCgroupsV2(root: string, own: Readonly<Record<string, string>>): CgroupLayout | undefined {
  if (!existsSync(join(root, 'cgroup.controllers'))) return undefined;
  const start = join(root, own[''] ?? '');
  for (let group = existsSync(start) ? start : root; ; group = dirname(group)) {
    if (tryEnable(group)) return { parents: [group], prepare: enable, limit };
    if (group.length <= root.length) return undefined;
  }
}

function tryEnable(group: string): boolean {
  try {
    accessSync(join(group, 'cgroup.procs'), constants.W_OK); // the kernel asks for this where a process moves below
    enable(group);
    return true;
  } catch {
    return false; // it has processes, or not all controllers, or is not ours to write to
  }
}

/** Gives the groups below one their limits. */
function enable(group: string): void {
  const file = join(group, 'cgroup.subtree_control');
  const enabled = readFileSync(file, 'utf8').split(/\s+/);
  const missing = CONTROLLERS.filter((controller) => !enabled.includes(controller));
  if (missing.length > 0) writeFileSync(file, missing.map((controller) => `+${controller}`).join(' '));
}

function limit([path]: readonly string[], memoryBytes: number, cpuMillicores: number): void {
  const usedBytes = Number(readFileSync(join(path!, 'memory.current'), 'utf8'));
  writeFileSync(join(path!, 'memory.max'), String(usedBytes + memoryBytes));
  writeOptional(join(path!, 'memory.swap.max'), '0');
  writeOptional(join(path!, 'memory.oom.group'), '1'); // over-use ends the whole tree
  writeFileSync(join(path!, 'cpu.max'), `${cpuQuotaMicros(cpuMillicores)} ${CPU_PERIOD_MICROS}`);
}

/** Not every kernel has the file. */
function writeOptional(file: string, text: string): void {
  if (existsSync(file)) writeFileSync(file, text);
}

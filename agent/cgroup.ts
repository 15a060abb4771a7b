import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Control groups, version 1: one folder per controller. Version 2 is not used yet; the memory watch stands in there. */
const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;
const ROOT = '/sys/fs/cgroup';
const PREFIX = 'qinling-agent-';
const CPU_PERIOD_MICROS = 100_000;
const LEAST_CPU_QUOTA_MICROS = 1_000;
const REMOVE_TRIES = 50;
const REMOVE_WAIT_MS = 20;

/** The group of one child process and all that it starts. */
export class Cgroup {
  readonly #paths: readonly string[];

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** Files that a process writes its pid to in order to join. */
  get joinFiles(): string[] {
    return this.#paths.map((path) => join(path, 'cgroup.procs'));
  }

  /** `memoryBytes` on top of what is used now; `cpuMillicores` of the whole group. */
  limit(memoryBytes: number, cpuMillicores: number): void {
    const [memory, cpu] = this.#paths;
    const usedBytes = Number(readFileSync(join(memory!, 'memory.usage_in_bytes'), 'utf8'));
    writeFileSync(join(memory!, 'memory.limit_in_bytes'), String(usedBytes + memoryBytes));
    const quota = Math.max(LEAST_CPU_QUOTA_MICROS, Math.round((cpuMillicores * CPU_PERIOD_MICROS) / 1000));
    writeFileSync(join(cpu!, 'cpu.cfs_period_us'), String(CPU_PERIOD_MICROS));
    writeFileSync(join(cpu!, 'cpu.cfs_quota_us'), String(quota));
  }

  /** Kills whatever is still in the group. */
  kill(): void {
    for (const pid of this.#pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // gone meanwhile
      }
    }
  }

  /** Kills the rest and removes the folders; they can go only when the last process is reaped. */
  async remove(): Promise<void> {
    for (let tries = 0; tries < REMOVE_TRIES; tries++) {
      this.kill();
      if (this.#paths.map((path) => tryRemove(path)).every(Boolean)) return;
      await new Promise((resolve) => setTimeout(resolve, REMOVE_WAIT_MS));
    }
  }

  #pids(): number[] {
    try {
      return readFileSync(join(this.#paths[0]!, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }
}

/** Makes groups below our own, so that limits set on us hold for all of them. */
export class CgroupTree {
  readonly #bases: readonly string[];

  private constructor(bases: readonly string[]) {
    this.#bases = bases;
  }

  /** The groups of this process; undefined where this machine does not let us make any. */
  static open(): CgroupTree | undefined {
    const bases: string[] = [];
    try {
      const own = ownGroups();
      for (const controller of CONTROLLERS) {
        const above = join(ROOT, controller, own[controller] ?? '');
        const parent = existsSync(above) ? above : join(ROOT, controller); // in a container /proc may tell the host's path
        removeLeftOvers(parent);
        const base = join(parent, `${PREFIX}${process.pid}`);
        mkdirSync(base, { recursive: true });
        bases.push(base);
        if (!existsSync(join(base, 'cgroup.procs'))) throw new Error('not a cgroup file system');
      }
      return new CgroupTree(bases);
    } catch {
      for (const base of bases) tryRemove(base);
      return undefined;
    }
  }

  make(name: string): Cgroup {
    const paths = this.#bases.map((base) => join(base, name));
    for (const path of paths) mkdirSync(path);
    return new Cgroup(paths);
  }

  remove(): void {
    for (const base of this.#bases) tryRemove(base);
  }
}

/** Removes the groups of agents that were killed: their names tell the process. */
function removeLeftOvers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
    if (!/^\d+$/.test(pid) || existsSync(`/proc/${pid}`)) continue;
    const base = join(parent, name);
    for (const entry of readdirSync(base, { withFileTypes: true })) {
      if (entry.isDirectory()) tryRemove(join(base, entry.name));
    }
    tryRemove(base);
  }
}

/** Our own group of each controller: lines `4:memory:/path`. */
function ownGroups(): Readonly<Record<string, string>> {
  const groups: Record<string, string> = {};
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, controllers = '', path = ''] = line.split(':');
    for (const controller of controllers.split(',')) groups[controller] = path;
  }
  return groups;
}

function tryRemove(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

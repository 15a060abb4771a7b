import { accessSync, constants, existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseOwnGroups, type CgroupLayout } from './cgroup-layout.ts';
import { findCgroupsV1 } from './cgroup-v1.ts';
import { findCgroupsV2 } from './cgroup-v2.ts';

const ROOT = '/sys/fs/cgroup';
const PREFIX = 'qinling-agent-';
const REMOVE_TRIES = 50;
const REMOVE_WAIT_MS = 20;

/** The group of one child process and all that it starts. */
export class Cgroup {
  readonly #layout: CgroupLayout;
  readonly #paths: readonly string[];

  constructor(layout: CgroupLayout, paths: readonly string[]) {
    this.#layout = layout;
    this.#paths = paths;
  }

  /** Files that a process writes its pid to in order to join. */
  get joinFiles(): string[] {
    return this.#paths.map((path) => join(path, 'cgroup.procs'));
  }

  /** `memoryBytes` on top of what is used now; `cpuMillicores` of the whole group. */
  limit(memoryBytes: number, cpuMillicores: number): void {
    this.#layout.limit(this.#paths, memoryBytes, cpuMillicores);
  }

  /** Kills whatever is still in the group. */
  kill(): void {
    killAll(this.#paths[0]!);
  }

  /** Kills the rest and removes the folders; they can go only when the last process is reaped. */
  async remove(): Promise<void> {
    for (let tries = 0; tries < REMOVE_TRIES; tries++) {
      this.kill();
      if (this.#paths.map((path) => tryRemove(path)).every(Boolean)) return;
      await new Promise((resolve) => setTimeout(resolve, REMOVE_WAIT_MS));
    }
  }
}

/** Makes groups below our own (version 1) or near it (version 2), so that limits set above us hold for all of them. */
export class CgroupTree {
  readonly #layout: CgroupLayout;
  readonly #bases: readonly string[];

  private constructor(layout: CgroupLayout, bases: readonly string[]) {
    this.#layout = layout;
    this.#bases = bases;
  }

  /** Undefined where this machine does not let us make any. `root`: where control groups are mounted. */
  static open(root = ROOT): CgroupTree | undefined {
    const bases: string[] = [];
    try {
      const own = parseOwnGroups(readFileSync('/proc/self/cgroup', 'utf8'));
      const layout = findCgroupsV1(root, own) ?? findCgroupsV2(root, own);
      if (layout === undefined) return undefined;
      for (const parent of layout.parents) {
        accessSync(parent, constants.W_OK);
        removeLeftOvers(parent);
        const base = join(parent, `${PREFIX}${process.pid}`);
        mkdirSync(base, { recursive: true });
        bases.push(base);
        layout.prepare(base);
      }
      return new CgroupTree(layout, bases);
    } catch {
      for (const base of bases) tryRemove(base);
      return undefined;
    }
  }

  make(name: string): Cgroup {
    const paths = this.#bases.map((base) => join(base, name));
    for (const path of paths) mkdirSync(path);
    return new Cgroup(this.#layout, paths);
  }

  remove(): void {
    for (const base of this.#bases) tryRemove(base);
  }
}

/**
 * Removes the groups of agents that were killed, whose names tell the process, and ends what may still run in them: user
 * code whose agent and language host were killed at once has nobody else to end it. A group that has not emptied yet is
 * removed by the next agent.
 */
function removeLeftOvers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
    if (!/^\d+$/.test(pid) || existsSync(`/proc/${pid}`)) continue;
    const base = join(parent, name);
    for (const entry of readdirSync(base, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      killAll(join(base, entry.name));
      tryRemove(join(base, entry.name));
    }
    tryRemove(base);
  }
}

/** Kills the processes of a group. */
function killAll(group: string): void {
  for (const pid of pidsOf(group)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone meanwhile
    }
  }
}

/** Those that we can see: the kernel tells 0 for processes of other namespaces. */
function pidsOf(group: string): number[] {
  try {
    const lines = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n');
    return lines.map(Number).filter((pid) => pid > 0);
  } catch {
    return [];
  }
}

function tryRemove(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

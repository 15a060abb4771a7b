import { readFileSync, readdirSync } from 'node:fs';

const WATCH_MS = 100;
const PAGE_BYTES = 4096;

/** Stands in for memory cgroups: looks at the resident memory of process trees and calls back when one has too much. */
export class MemoryWatch {
  readonly #watched = new Map<number, { limitBytes: number; onTooMuch: () => void }>();
  #timer: NodeJS.Timeout | undefined;

  /** Watches the tree below (and with) `pid`: `memoryBytes` more than it has now. */
  add(pid: number, memoryBytes: number, onTooMuch: () => void): void {
    const limitBytes = (treeBytes(readProcesses(), pid) ?? 0) + memoryBytes;
    this.#watched.set(pid, { limitBytes, onTooMuch });
    this.#timer ??= setInterval(() => this.#look(), WATCH_MS).unref();
  }

  remove(pid: number): void {
    this.#watched.delete(pid);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const processes = readProcesses();
    for (const [pid, { limitBytes, onTooMuch }] of this.#watched) {
      const bytes = treeBytes(processes, pid);
      if (bytes !== undefined && bytes > limitBytes) onTooMuch();
    }
  }
}

interface ProcessInfo {
  readonly parent: number;
  readonly bytes: number;
}

function readProcesses(): ReadonlyMap<number, ProcessInfo> {
  const processes = new Map<number, ProcessInfo>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      processes.set(Number(name), { parent: Number(fields[1]), bytes: Number(fields[21]) * PAGE_BYTES });
    } catch {
      // gone meanwhile
    }
  }
  return processes;
}

/** Resident bytes of a tree; pages that processes share count once for each. Undefined where the root is gone. */
function treeBytes(processes: ReadonlyMap<number, ProcessInfo>, root: number): number | undefined {
  const own = processes.get(root);
  if (own === undefined) return undefined;
  const members = new Set([root]);
  let bytes = own.bytes;
  for (let isGrown = true; isGrown;) {
    isGrown = false;
    for (const [pid, { parent, bytes: more }] of processes) {
      if (members.has(pid) || !members.has(parent)) continue;
      members.add(pid);
      bytes += more;
      isGrown = true;
    }
  }
  return bytes;
}

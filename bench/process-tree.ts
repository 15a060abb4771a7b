import { readFileSync, readdirSync } from 'node:fs';

/** What a process and those that it started hold, as `/proc` tells. */
export interface Held {
  readonly rssBytes: number;
  readonly files: number;
}

/** Of one process; nothing where it is gone. */
export function heldBy(pid: number): Held {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return { rssBytes: Number(kib ?? 0) * 1024, files: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return { rssBytes: 0, files: 0 };
  }
}

/** Those that the process started itself. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim();
      return text === '' ? [] : text.split(' ').map(Number);
    });
  } catch {
    return []; // gone
  }
}

/** Those, and what they started. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

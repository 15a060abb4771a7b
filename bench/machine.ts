import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The folder that this file's source is in. */
export const SOURCE = fileURLToPath(new URL('../../bench', import.meta.url));

/** What a number depends on. */
export interface Machine {
  readonly cpu: string;
  readonly cpuCount: number;
  readonly node: string;
  readonly commit: string;
  /** Of the last minute before the start: well below the number of processors, or others disturbed. */
  readonly load: string;
  readonly date: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown processor',
    cpuCount: all.length,
    node: process.versions.node,
    commit: readCommit(),
    load: loadavg()[0]!.toFixed(2),
    date: new Date().toISOString(),
  };
}

function readCommit(): string {
  try {
    const args = ['describe', '--always', '--dirty'];
    return execFileSync('git', args, { cwd: SOURCE, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

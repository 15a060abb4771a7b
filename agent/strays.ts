import { readFileSync, readdirSync } from 'node:fs';

const ROUNDS = 5;

/**
 * Kills the processes that a child left where no control group tells them: those that went into a session of their own
 * and lost their parents. They are known by the home directory that they inherited, which no other child has.
 */
export function killStrays(homeDirectory: string): void {
  for (let round = 0; round < ROUNDS; round++) {
    const pids = straysOf(`HOME=${homeDirectory}`);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
  }
}

function straysOf(variable: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(variable))
    .map(Number);
}

/** Its variables; none where the process is gone, or not ours to look at. */
function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone meanwhile
  }
}

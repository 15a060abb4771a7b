import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The parts of the cluster that `test/cluster/` starts: processes of this machine. */
function pidOfPart(name: string): number {
  const folder = dirname(process.env['KUBECONFIG'] ?? '');
  let box = '';
  try {
    box = readFileSync(join(folder, 'pid'), 'utf8').trim();
  } catch {
    assert.fail('this test needs the cluster of test/cluster (npm run cluster:up): it stops parts of it');
  }
  const children = readFileSync(`/proc/${box}/task/${box}/children`, 'utf8').trim().split(' ');
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!.endsWith(name));
  assert.ok(found !== undefined, `no ${name} runs`);
  return Number(found);
}

/** Runs work while a part of the cluster (`kube-apiserver`, `kubelet`) stands still. */
export async function whileStopped<T>(part: string, work: () => Promise<T>): Promise<T> {
  const pid = pidOfPart(part);
  process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseOwnGroups } from '../../agent/cgroup-layout.ts';
import { findCgroupsV2 } from '../../agent/cgroup-v2.ts';
import { Cgroup, CgroupTree } from '../../agent/cgroup.ts';

const MIB = 1024 * 1024;
const BASE = `qinling-agent-${process.pid}`;

/** Plain files where the kernel would have its own: they show what is written, and nothing is limited. */
function fakeTree(t: TestContext, folders: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
  const root = mkdtempSync(join(tmpdir(), 'qinling-cgroup-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [folder, files] of Object.entries(folders)) {
    mkdirSync(join(root, folder), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, folder, name), text);
  }
  return root;
}

const v2Group = { 'cgroup.controllers': 'cpu memory pids\n', 'cgroup.subtree_control': '', 'cgroup.procs': '' };

test('the groups of a process are read from /proc, of version 1 by controller and of version 2 by none', () => {
  const text = '5:cpu,cpuacct:/a\n4:memory:/b:c\n0::/system.slice/d\n';
  assert.deepEqual(parseOwnGroups(text), { cpu: '/a', cpuacct: '/a', memory: '/b:c', '': '/system.slice/d' });
});

test('version 2 takes the nearest group that can limit groups below it, and moves no process', (t) => {
  const root = fakeTree(t, { '.': v2Group, slice: v2Group, 'slice/service': { ...v2Group } });
  rmSync(join(root, 'slice/service/cgroup.subtree_control')); // as one with processes: not to be written
  const layout = findCgroupsV2(root, { '': '/slice/service' });
  assert.deepEqual(layout?.parents, [join(root, 'slice')]);
  assert.equal(readFileSync(join(root, 'slice/cgroup.subtree_control'), 'utf8'), '+memory +cpu +pids');
  assert.equal(readFileSync(join(root, 'slice/cgroup.procs'), 'utf8'), '');
});

test('version 2 limits memory on top of what is used, without swap, and processor time by quota', (t) => {
  const root = fakeTree(t, {
    '.': v2Group,
    child: { 'memory.current': `${10 * MIB}\n`, 'memory.swap.max': 'max\n' },
  });
  const layout = findCgroupsV2(root, { '': '/' })!;
  const group = new Cgroup(layout, [join(root, 'child')]);
  group.limit(32 * MIB, 250);
  const read = (name: string) => readFileSync(join(root, 'child', name), 'utf8');
  assert.equal(read('memory.max'), String(42 * MIB));
  assert.equal(read('memory.swap.max'), '0');
  assert.equal(read('cpu.max'), '25000 100000');
  assert.equal(existsSync(join(root, 'child/memory.oom.group')), false, 'a file that this kernel lacks is not written');
  assert.deepEqual(group.joinFiles, [join(root, 'child/cgroup.procs')]);
});

test('version 1 has a folder for each controller', (t) => {
  const files = { 'cgroup.procs': '' };
  const root = fakeTree(t, { memory: files, cpu: files, pids: files });
  const tree = CgroupTree.open(root)!;
  const group = tree.make('one');
  assert.deepEqual(
    group.joinFiles,
    ['memory', 'cpu', 'pids'].map((name) => join(root, name, BASE, 'one/cgroup.procs')),
  );
  writeFileSync(join(root, 'memory', BASE, 'one/memory.usage_in_bytes'), String(MIB));
  group.limit(32 * MIB, 100);
  assert.equal(readFileSync(join(root, 'memory', BASE, 'one/memory.limit_in_bytes'), 'utf8'), String(33 * MIB));
  assert.equal(readFileSync(join(root, 'cpu', BASE, 'one/cpu.cfs_quota_us'), 'utf8'), '10000');
});

test('groups of agents that are gone are removed, those of living ones are not', (t) => {
  const files = { 'cgroup.procs': '' };
  const root = fakeTree(t, { memory: files, cpu: files, pids: files });
  const dead = 'qinling-agent-999999999';
  for (const name of ['memory', 'cpu', 'pids']) {
    mkdirSync(join(root, name, dead, 'child'), { recursive: true });
    mkdirSync(join(root, name, 'qinling-agent-1/child'), { recursive: true });
  }
  const tree = CgroupTree.open(root)!;
  assert.deepEqual(readdirSync(join(root, 'memory')).sort(), ['cgroup.procs', 'qinling-agent-1', BASE].sort());
  tree.remove();
  assert.equal(existsSync(join(root, 'memory', BASE)), false);
});

test('what runs on in the group of an agent that is gone is ended', async (t) => {
  const stray = spawn('sleep', ['600'], { stdio: 'ignore' });
  t.after(() => stray.kill('SIGKILL'));
  const ended = once(stray, 'exit');
  const files = { 'cgroup.procs': '' };
  const root = fakeTree(t, { memory: files, cpu: files, pids: files });
  const group = join(root, 'memory', 'qinling-agent-999999999', 'child');
  mkdirSync(group, { recursive: true });
  writeFileSync(join(group, 'cgroup.procs'), `0\n${stray.pid}\n`);
  const tree = CgroupTree.open(root)!;
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  tree.remove();
});

test('a machine without control groups has no tree', (t) => {
  assert.equal(CgroupTree.open(fakeTree(t, {})), undefined);
});

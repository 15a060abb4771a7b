import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { processesGone, processesOf, programsOf, until, valueOf, type Rig } from './language-host-rig.ts';

interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** What user code sees of the machine, and what is left of it. The last test closes the host. */
export function isolationPromises(rig: () => Rig): void {
  test('the environment is clean: PATH, LANG, HOME, TMPDIR, and what the function was given', async (t) => {
    const environment = { GREETING: 'Grüße = x', EMPTY: '' };
    const seen = valueOf(await rig().run(t, 'main.environment', undefined, { environment }));
    const { PATH, HOME, TMPDIR, LANG, ...rest } = seen as Record<string, string>;
    assert.deepEqual(rest, environment);
    assert.equal(LANG, 'C.UTF-8');
    assert.equal(TMPDIR, HOME);
    assert.match(PATH!, /^(\/[a-z]+)+(:(\/[a-z]+)+)*$/);
  });

  test('each process works in a folder of its own, which goes with it', async (t) => {
    const subject = await rig().load(t, 'main.scratch');
    const { cwd, home, tmpdir, pid } = valueOf(await subject.invoke()) as Record<string, string>;
    assert.deepEqual([home, tmpdir, pid], [cwd, cwd, subject.child.pid]);
    assert.ok(cwd!.startsWith(rig().scratchDirectory));
    assert.equal(statSync(cwd!).mode & 0o777, 0o700);
    assert.equal(readFileSync(`${cwd}/note`, 'utf8'), 'note');
    await subject.end();
    assert.equal(existsSync(cwd!), false);
  });

  test('standard input is empty', async (t) => {
    assert.equal(valueOf(await rig().run(t, 'main.read_input')), '');
  });

  test('a process has no descriptors but its own', async (t) => {
    const seen = valueOf(await rig().run(t, 'main.descriptors')) as Record<string, string>;
    assert.equal(seen['0'], '/dev/null');
    assert.match(seen['1']!, / \(deleted\)$/);
    assert.equal(seen['2'], seen['1']);
    const others = Object.entries(seen).filter(([descriptor]) => Number(descriptor) > 2);
    const files = others
      .map(([, target]) => target)
      .filter((target) => !/^(anon_inode|pipe|\/proc|\/dev)|^$/.test(target));
    assert.ok(files.length === 1 && files[0]!.startsWith('socket:'), JSON.stringify(seen));
  });

  test('each process has a user of its own where that can be, and no way to a right that it lacks', async (t) => {
    const one = await rig().load(t, 'main.identity');
    const two = await rig().load(t, 'main.identity');
    const [first, second] = [valueOf(await one.invoke()), valueOf(await two.invoke())] as [Identity, Identity];
    const status = readFileSync(`/proc/${one.child.pid}/status`, 'utf8');
    assert.match(status, /^NoNewPrivs:\t1$/m);
    if (!rig().isolation.changesUser) {
      assert.deepEqual([first.uid, second.uid], [process.getuid!(), process.getuid!()]);
      return;
    }
    assert.notEqual(first.uid, second.uid);
    for (const { uid, gid, groups } of [first, second]) {
      assert.ok(uid >= 50_000);
      assert.equal(gid, uid);
      assert.ok(groups.every((group) => group === gid));
    }
    assert.match(status, /^CapEff:\t0+$/m);
  });

  test('each process has its limits of open files and file size', async (t) => {
    const { child } = await rig().load(t, 'main.echo');
    const limits = readFileSync(`/proc/${child.pid}/limits`, 'utf8');
    assert.match(limits, /^Max open files +1024 /m);
    assert.match(limits, /^Max file size +524288000 /m);
    assert.match(limits, /^Max core file size +0 /m);
    if (rig().isolation.changesUser) assert.match(limits, /^Max processes +128 /m);
  });

  test('a lost parent takes its processes with it and is started again', async (t) => {
    const subject = await rig().load(t, 'main.start_programs');
    const outcome = subject.invoke({ stay: true });
    await until(() => programsOf(rig().scratchDirectory).length === 3, 'its programs');
    const before = processesOf(rig().workDirectory);
    const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${subject.child.pid}/status`, 'utf8'))![1]);
    process.kill(parent, 'SIGKILL');
    assert.equal((await outcome).kind, 'killed');
    await processesGone(before);
    assert.equal(valueOf(await rig().run(t, 'main.echo', { value: 1 })), 1);
    assert.match(rig().warnings.splice(0).join('\n'), /starts again/);
  });

  test('nothing is left when the host is closed, and it had nothing to complain of', async (t) => {
    const subject = await rig().load(t, 'main.start_programs');
    const outcome = subject.invoke({ stay: true });
    await until(() => programsOf(rig().scratchDirectory).length === 3, 'its programs');
    const before = processesOf(rig().workDirectory);
    await rig().close();
    assert.equal((await outcome).kind, 'killed');
    await processesGone(before);
    assert.deepEqual(processesOf(rig().workDirectory), []);
    assert.deepEqual(readdirSync(rig().scratchDirectory), []);
    assert.deepEqual(ownControlGroups(), []);
    assert.deepEqual(rig().warnings, []);
  });
}

/** Control groups that were made for this process. */
function ownControlGroups(): string[] {
  const root = '/sys/fs/cgroup';
  if (!existsSync(root)) return [];
  return ['memory', 'cpu', 'pids'].flatMap((controller) => {
    const folder = `${root}/${controller}`;
    return existsSync(folder) ? readdirSync(folder).filter((name) => name === `qinling-agent-${process.pid}`) : [];
  });
}

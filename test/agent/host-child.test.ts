import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { HostChild, type ChildOutcome } from '../../agent/host-child.ts';
import { HostConnection } from '../../agent/host-connection.ts';
import { ExitHow, FrameWriter, HostKind, HostOutcome } from '../../agent/host-protocol.ts';

const MIB = 1024 * 1024;
const TEXT = Buffer.from('printed\n');

/** A child whose process is this test: what it writes comes over a real socket. */
async function openChild(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-child-'));
  const server = createServer();
  server.listen(join(folder, 'socket'));
  await once(server, 'listening');
  const process = connect(join(folder, 'socket'));
  const [socket] = (await once(server, 'connection')) as [Socket];
  process.resume();
  const asked: number[] = [];
  const control = { kill: () => assert.fail('was killed'), follow: (id: number) => void asked.push(id) };
  const child = new HostChild('child', 0, new HostConnection(socket), control);
  t.after(async () => {
    child.exited({ how: ExitHow.Exited, code: 0, log: Buffer.alloc(0) });
    process.destroy();
    await new Promise<void>((resolve) => child.onExit(resolve));
    server.close();
    rmSync(folder, { recursive: true });
  });
  const invoke = (name: string) =>
    new Promise<ChildOutcome>((resolve) => child.invoke(name, Buffer.alloc(0), 600_000, resolve));
  return { child, process, asked, invoke };
}

function resultOf(id: number, output: Buffer): Buffer {
  return new FrameWriter(HostKind.Result).u32(id).u8(HostOutcome.Returned).u32(1).bytes(output).bytes(TEXT).finish();
}

test('text that the parent read while the invocation ran is told', async (t) => {
  const { child, invoke } = await openChild(t);
  void invoke('one');
  const told = new Promise((resolve) => child.follow('one', (offset, log) => resolve([offset, log.toString()])));
  child.onLog(1, 0, TEXT);
  assert.deepEqual(await told, [0, 'printed\n']);
});

test('text that may be the next one’s, because a Result is on its way, is told of neither', async (t) => {
  const { child, process, invoke } = await openChild(t);
  const outcomes = [invoke('one'), invoke('two')];
  child.follow('one', () => assert.fail('was told of the first'));
  child.follow('two', () => assert.fail('was told of the second'));
  process.write(resultOf(1, Buffer.from('1')));
  child.onLog(1, 0, Buffer.from('of the second'));
  assert.equal((await outcomes[0]!).output.toString(), '1');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  process.write(resultOf(2, Buffer.from('2')));
  await outcomes[1];
});

test('nothing is told while a Result has come in part', async (t) => {
  const { child, process, invoke } = await openChild(t);
  const outcomes = [invoke('one'), invoke('two')];
  child.follow('one', () => assert.fail('was told of the first'));
  const result = resultOf(1, Buffer.alloc(MIB));
  await new Promise((resolve) => process.write(result.subarray(0, MIB / 2), resolve));
  child.onLog(1, 0, Buffer.from('of the second'));
  await new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));
  process.write(result.subarray(MIB / 2));
  assert.equal((await outcomes[0]!).output.length, MIB);
});

test('the parent is asked for an invocation when it begins, and for nothing when it has ended', async (t) => {
  const { child, process, asked, invoke } = await openChild(t);
  const outcomes = [invoke('one'), invoke('two'), invoke('three')];
  child.follow('two', () => undefined);
  assert.deepEqual(asked, []);
  process.write(resultOf(1, Buffer.from('1')));
  await outcomes[0];
  assert.deepEqual(asked, [2]);
  process.write(resultOf(2, Buffer.from('2')));
  await outcomes[1];
  assert.deepEqual(asked, [2, 0]);
  assert.equal(
    child.follow('two', () => undefined),
    false,
  );
  process.write(resultOf(3, Buffer.from('3')));
  await outcomes[2];
  assert.deepEqual(asked, [2, 0]);
});

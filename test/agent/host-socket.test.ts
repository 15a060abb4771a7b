import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FrameWriter, HostKind, HostRole } from '../../agent/host-protocol.ts';
import { HostSocket } from '../../agent/host-socket.ts';

async function openSocket(t: TestContext): Promise<HostSocket> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-socket-'));
  const socket = new HostSocket(join(folder, 'hosts.sock'));
  await socket.listen();
  t.after(async () => {
    await socket.close();
    rmSync(folder, { recursive: true });
  });
  return socket;
}

function hello(role: number, name: string): Buffer {
  return new FrameWriter(HostKind.Hello).u8(role).text(name).text('1.2.3').finish();
}

/** Resolves when the agent has turned the connection away. */
async function isTurnedAway(socket: HostSocket, bytes: Buffer): Promise<void> {
  const connection = connect(socket.path);
  connection.on('error', () => undefined);
  connection.write(bytes);
  connection.resume();
  await once(connection, 'close');
}

test('only we may connect', async (t) => {
  const socket = await openSocket(t);
  assert.equal(statSync(socket.path).mode & 0o777, 0o600);
});

test('a host that was expected is known by its name, and tells its version', async (t) => {
  const socket = await openSocket(t);
  const version = new Promise((resolve) => {
    const name = socket.expect('Child', (_connection, version) => resolve(version));
    const connection = connect(socket.path);
    t.after(() => connection.destroy());
    connection.write(hello(HostRole.Child, name));
  });
  assert.equal(await version, '1.2.3');
});

test('a stranger, another role, a name used twice or forgotten, and garbage are turned away', async (t) => {
  const socket = await openSocket(t);
  const used = await new Promise<string>((resolve) => {
    const name = socket.expect('Child', () => resolve(name));
    const connection = connect(socket.path);
    t.after(() => connection.destroy());
    connection.write(hello(HostRole.Child, name));
  });
  const onHello = () => assert.fail('was let in');
  const forgotten = socket.expect('Child', onHello);
  socket.forget(forgotten);
  await isTurnedAway(socket, hello(HostRole.Child, 'stranger'));
  await isTurnedAway(socket, hello(HostRole.Parent, socket.expect('Child', onHello)));
  await isTurnedAway(socket, hello(HostRole.Child, used));
  await isTurnedAway(socket, hello(HostRole.Child, forgotten));
  await isTurnedAway(socket, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await isTurnedAway(socket, new FrameWriter(HostKind.Result).u32(1).finish());
});

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  FrameSplitter,
  FrameWriter,
  HostKind,
  HostRole,
  LEAVE_ID,
  encodeHostInvoke,
  type FrameReader,
} from '../agent/host-protocol.ts';
import { findRuntimes } from '../agent/runtime-catalog.ts';

const RUNTIMES = fileURLToPath(new URL('../../runtimes', import.meta.url));
const OPEN_FILES = 1_024;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** As long as the name of an execution. */
const EXECUTION_ID = '01900000-0000-7000-8000-000000000000';

/**
 * The shortest road to a function: its language host alone, called over its unix socket. No gateway, no agent, one call
 * after the other, written at once, and neither limits nor users for the process.
 */
export class HostClient {
  readonly #server: Server;
  readonly #parent: ChildProcess;
  readonly #child: Socket;
  readonly #next: (kind: number) => Promise<FrameReader>;
  #lastId = 0;

  private constructor(server: Server, parent: ChildProcess, child: Socket) {
    this.#server = server;
    this.#parent = parent;
    this.#child = child;
    this.#next = framesOf(child);
  }

  /** Starts the language's host below the folder, and loads a function of these files. */
  static async start(folder: string, language: string, files: Readonly<Record<string, string>>): Promise<HostClient> {
    const runtime = (await findRuntimes(RUNTIMES, [])).find(({ definition }) => definition.name === language);
    if (runtime === undefined) throw new Error(`no ${language} on this machine`);
    const path = join(folder, 'host.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    const args = runtime.definition.run.map((text) => text.replaceAll('{host}', runtime.hostFile));
    const env = { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', QINLING_SOCKET: path, QINLING_NAME: 'parent' };
    const parent = spawn(runtime.interpreter, args, { env, cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] });
    const control = await greeted(server, HostRole.Parent);
    control.write(encodeSpawn(join(folder, 'scratch')));
    const client = new HostClient(server, parent, await greeted(server, HostRole.Child));
    await client.#load(makePackage(folder, files));
    return client;
  }

  /** One call; resolves with its output, JSON text. */
  async call(input: Uint8Array): Promise<string> {
    const id = ++this.#lastId;
    this.#child.write(encodeHostInvoke(id, EXECUTION_ID, input));
    const result = await this.#next(HostKind.Result);
    if (result.u32() !== id || result.u8() !== 0) throw new Error('the function failed');
    result.u32(); // its duration
    return result.text();
  }

  /** Ends the host with its child. */
  async close(): Promise<void> {
    const ended = this.#parent.exitCode === null ? once(this.#parent, 'exit') : undefined;
    this.#parent.kill('SIGTERM');
    await ended;
    this.#child.destroy();
    this.#server.close();
  }

  async #load(folder: string): Promise<void> {
    const frame = new FrameWriter(HostKind.Load).text(folder).text('main.main').u32(MAX_OUTPUT_BYTES).u16(0).finish();
    this.#child.write(frame);
    await this.#next(HostKind.Loaded);
  }
}

/** The next connection, once it has said who it is. */
async function greeted(server: Server, role: number): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  const hello = new FrameSplitter().push(chunk)[0];
  if (hello?.kind !== HostKind.Hello || hello.u8() !== role) throw new Error('no Hello of a language host');
  return socket;
}

/** Waits for the next frame, which is to be of the kind: there is never more than one under way. */
function framesOf(socket: Socket): (kind: number) => Promise<FrameReader> {
  const splitter = new FrameSplitter();
  let settle: { resolve: (frame: FrameReader) => void; reject: (error: Error) => void } | undefined;
  socket.on('data', (chunk) => {
    for (const frame of splitter.push(chunk)) settle?.resolve(frame);
  });
  socket.on('close', () => settle?.reject(new Error('the language host has gone')));
  return async (kind) => {
    const frame = await new Promise<FrameReader>((resolve, reject) => (settle = { resolve, reject }));
    if (frame.kind !== kind) throw new Error(`a frame of kind ${frame.kind}: ${frame.text()}`);
    return frame;
  };
}

function encodeSpawn(scratch: string): Buffer {
  const spawned = new FrameWriter(HostKind.Spawn).text('child').u32(LEAVE_ID).u32(LEAVE_ID).u32(OPEN_FILES);
  return spawned.u32(0).u64(0).text(scratch).u8(0).finish();
}

function makePackage(folder: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, 'package');
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

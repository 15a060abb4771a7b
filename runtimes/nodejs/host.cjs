'use strict';
/**
 * Language host for Node.js: a parent that makes child processes, and the children that run user code. One file, so
 * that it can be put into any image; runtimes/README.md is the contract.
 */
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const Kind = {
  Hello: 1,
  Spawn: 2,
  Kill: 3,
  Spawned: 4,
  Exited: 5,
  Load: 6,
  Loaded: 7,
  LoadFailed: 8,
  Invoke: 9,
  Result: 10,
  Follow: 11,
  Log: 12,
};
const Role = { Parent: 0, Child: 1 };
const How = { Exited: 0, Signal: 1, NotMade: 2 };
const Outcome = { Returned: 0, Failed: 1 };
const LEAVE = 0xffffffff;

const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const LOG_KEPT_BYTES = 65_536;
const LOG_READ_BYTES = LOG_KEPT_BYTES + 1; // one byte more than is kept tells that there was more
const LOG_FLOOD_BYTES = 1024 * 1024;
const WATCH_MS = 20;
const FLOOD_WAIT_TRIES = 200;
const FLOOD_WAIT_MS = 5;
const RESOURCES = 'Function execution failed because of too much resource consumption';
const EMPTY = Buffer.alloc(0);
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

// Frames

function u8(value) {
  return Buffer.from([value]);
}

function u32(value) {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function bytes(data) {
  return Buffer.concat([u32(data.length), data]);
}

function text(value) {
  return bytes(Buffer.from(value));
}

function frame(kind, ...fields) {
  const length = fields.reduce((sum, field) => sum + field.length, 1);
  return Buffer.concat([u32(length), u8(kind), ...fields], 4 + length);
}

/** Reads the fields of one frame in their order. */
class Fields {
  constructor(data) {
    this.data = data;
    this.position = 0;
  }

  u8() {
    return this.data.readUInt8(this.position++);
  }

  u16() {
    this.position += 2;
    return this.data.readUInt16BE(this.position - 2);
  }

  u32() {
    this.position += 4;
    return this.data.readUInt32BE(this.position - 4);
  }

  u64() {
    this.position += 8;
    return Number(this.data.readBigUInt64BE(this.position - 8));
  }

  bytes() {
    const length = this.u32();
    this.position += length;
    if (this.position > this.data.length) throw new Error('frame is cut');
    return this.data.subarray(this.position - length, this.position);
  }

  text() {
    return this.bytes().toString();
  }
}

/** Calls back with the frames of a socket. Parts of a long one are put together once, when it is complete. */
function readFrames(socket, onFrame) {
  let parts = [];
  let heldBytes = 0;
  let neededBytes = 4;
  socket.on('data', (chunk) => {
    parts.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < neededBytes) return;
    let rest = parts.length === 1 ? chunk : Buffer.concat(parts, heldBytes);
    neededBytes = 4;
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0);
      if (length < 1 || length > MAX_FRAME_BYTES) return socket.destroy();
      if (rest.length < 4 + length) {
        neededBytes = 4 + length;
        break;
      }
      const fields = new Fields(rest.subarray(5, 4 + length));
      const kind = rest[4];
      rest = rest.subarray(4 + length);
      onFrame(kind, fields);
    }
    parts = rest.length === 0 ? [] : [rest];
    heldBytes = rest.length;
  });
}

function resultFrame(id, outcome, micros, output, log) {
  const length = 1 + 4 + 1 + 4 + 4 + output.length + 4 + log.length;
  const result = Buffer.allocUnsafe(4 + length);
  result.writeUInt32BE(length, 0);
  result[4] = Kind.Result;
  result.writeUInt32BE(id, 5);
  result[9] = outcome;
  result.writeUInt32BE(Math.min(micros, 0xffffffff), 10);
  result.writeUInt32BE(output.length, 14);
  result.set(output, 18);
  result.writeUInt32BE(log.length, 18 + output.length);
  result.set(log, 22 + output.length);
  return result;
}

function hello(role, name) {
  return frame(Kind.Hello, u8(role), text(name), text(process.versions.node));
}

// The parent

function runParent(socketPath, name) {
  const children = new Map();
  const socket = net.connect(socketPath);
  const send = (data) => socket.write(data);
  socket.on('connect', () => send(hello(Role.Parent, name)));
  socket.on('error', () => undefined);
  socket.on('close', () => void endParent(children));
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => void endParent(children));
  readFrames(socket, (kind, fields) => {
    if (kind === Kind.Spawn) makeChild(children, readSpawn(fields, socketPath), send);
    if (kind === Kind.Kill) killChild(children.get(fields.text()));
    if (kind === Kind.Follow) followChild(children.get(fields.text()), fields.u32());
  });
  setInterval(() => {
    for (const [childName, child] of children) {
      const { size } = fs.fstatSync(child.log);
      if (size > LOG_FLOOD_BYTES) fs.ftruncateSync(child.log, LOG_READ_BYTES); // the head is kept
      const end = Math.min(size, LOG_KEPT_BYTES);
      if (child.followed !== 0 && end > child.told) tellLog(childName, child, end - child.told, send);
    }
  }, WATCH_MS);
}

function followChild(child, id) {
  if (child === undefined) return;
  child.followed = id;
  child.told = 0;
}

/** Sends what the log file holds beyond what was told; whose text that is, the agent knows. */
function tellLog(name, child, length, send) {
  const data = Buffer.alloc(length);
  const count = fs.readSync(child.log, data, 0, length, child.told);
  send(frame(Kind.Log, text(name), u32(child.followed), u32(child.told), bytes(data.subarray(0, count))));
  child.told += count;
}

function readSpawn(fields, socketPath) {
  return {
    socketPath,
    name: fields.text(),
    uid: fields.u32(),
    gid: fields.u32(),
    files: fields.u32(),
    processes: fields.u32(),
    fileSize: fields.u64(),
    scratch: fields.text(),
    groups: Array.from({ length: fields.u8() }, () => fields.text()),
  };
}

function makeChild(children, spec, send) {
  const { name, scratch, uid, gid } = spec;
  const notMade = (error) =>
    send(frame(Kind.Exited, text(name), u8(How.NotMade), u32(0), bytes(EMPTY), text(error.message)));
  try {
    fs.mkdirSync(scratch, { mode: 0o700 });
    if (uid !== LEAVE) fs.chownSync(scratch, uid, gid);
    const log = openLog(`${scratch}.log`);
    const child = spawnLimited(spec, log);
    child.on('error', (error) => {
      fs.closeSync(log);
      fs.rmSync(scratch, { recursive: true, force: true });
      notMade(error);
    });
    if (child.pid === undefined) return;
    for (const group of spec.groups) fs.writeFileSync(group, String(child.pid));
    children.set(name, { pid: child.pid, uid, groups: spec.groups, log, scratch, followed: 0, told: 0 });
    send(frame(Kind.Spawned, text(name), u32(child.pid)));
    child.on('exit', async (code, signal) => {
      // What it left behind; its user id is free for another child once we report.
      await killOthers({ pid: child.pid, uid, groups: spec.groups });
      children.delete(name);
      const how = signal === null ? How.Exited : How.Signal;
      const number = signal === null ? code : (os.constants.signals[signal] ?? 0);
      const rest = bytes(readLog(log));
      fs.closeSync(log);
      fs.rmSync(scratch, { recursive: true, force: true });
      send(frame(Kind.Exited, text(name), u8(how), u32(number), rest, text('')));
    });
  } catch (error) {
    notMade(error);
  }
}

/** Node.js has no call for resource limits: a shell sets them and becomes the child. */
function spawnLimited({ name, scratch, uid, gid, files, processes, fileSize, socketPath }, log) {
  const limits = ['ulimit -c 0'];
  if (files > 0) limits.push(`ulimit -n ${files}`);
  if (fileSize > 0) limits.push(`ulimit -f ${Math.floor(fileSize / 512)}`);
  if (processes > 0) limits.push(`ulimit -p ${processes} 2>/dev/null || ulimit -u ${processes} 2>/dev/null`);
  const script = `${limits.join('; ')}; exec "$0" "$@"`;
  const args = ['-c', script, process.execPath, __filename, 'child', socketPath, name, String(uid), String(gid)];
  const env = { PATH, LANG: 'C.UTF-8', HOME: scratch, TMPDIR: scratch };
  return spawn('/bin/sh', args, { cwd: scratch, env, stdio: ['ignore', log, log], detached: true });
}

/** A file that has no name any more: it goes with its last user. */
function openLog(name) {
  const { O_RDWR, O_APPEND, O_CREAT, O_EXCL } = fs.constants;
  const log = fs.openSync(name, O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0o600);
  fs.unlinkSync(name);
  return log;
}

function readLog(log, size = fs.fstatSync(log).size) {
  if (size === 0) return EMPTY;
  const data = Buffer.alloc(Math.min(size, LOG_READ_BYTES));
  return data.subarray(0, fs.readSync(log, data, 0, data.length, 0));
}

function killChild(child) {
  if (child === undefined) return;
  if (child.uid !== LEAVE) signal(child.pid, 'SIGKILL'); // it makes no more processes
  void killOthers(child);
}

/** Kills whatever a child started that is dead, or is dying. Resolves when the signals are out. */
async function killOthers(child) {
  if (child.uid === LEAVE) return killTree(child.pid, child.uid);
  if (hasOthers(child)) return killUser(child.uid);
}

/** False where its control group holds nothing else, as it mostly does: that spares the processes of killUser. */
function hasOthers({ pid, groups }) {
  try {
    const pids = fs.readFileSync(groups[0], 'latin1').split('\n');
    return pids.some((other) => other !== '' && Number(other) !== pid);
  } catch {
    return true; // there is no group
  }
}

/**
 * Kills a child and whatever it started: all that runs under its own user, or what /proc shows to be its tree. Resolves
 * when the signals are out.
 */
async function killTree(pid, uid) {
  if (uid !== LEAVE) {
    signal(pid, 'SIGKILL'); // may not have changed its user yet
    return killUser(uid);
  }
  signal(pid, 'SIGSTOP'); // makes no more children while they are counted
  for (let round = 0; round < 5; round++) {
    const found = treeOf(pid);
    for (const other of found) signal(other, 'SIGKILL');
    if (found.size === 0) break;
  }
  signal(-pid, 'SIGKILL');
  signal(pid, 'SIGKILL');
}

/** All processes of a user at once, which no fork can outrun: as that user, a signal to everybody reaches them only. */
function killUser(uid) {
  return new Promise((resolve) => {
    const killer = spawn('/bin/sh', ['-c', 'kill -9 -1'], { uid, gid: uid, stdio: 'ignore', cwd: '/' });
    killer.on('error', resolve);
    killer.on('exit', resolve);
  });
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // gone already
  }
}

/** Pids of the living processes of the child's session, and of its descendants, from /proc; without the child. */
function treeOf(root) {
  const parents = new Map();
  const members = new Set();
  for (const entry of fs.existsSync('/proc') ? fs.readdirSync('/proc') : []) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = fs.readFileSync(`/proc/${entry}/stat`, 'latin1');
      const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') continue;
      parents.set(Number(entry), Number(parent));
      if (Number(session) === root) members.add(Number(entry));
    } catch {
      // gone meanwhile
    }
  }
  for (let grown = true; grown;) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (members.has(pid) || !(parent === root || members.has(parent))) continue;
      members.add(pid);
      grown = true;
    }
  }
  members.delete(root);
  members.delete(process.pid);
  return members;
}

async function endParent(children) {
  await Promise.all([...children.values()].map(({ pid, uid }) => killTree(pid, uid)));
  for (const { scratch } of children.values()) fs.rmSync(scratch, { recursive: true, force: true });
  process.exit(0);
}

// The child

function runChild(socketPath, name, uid, gid) {
  const socket = net.connect(socketPath);
  const child = new Child(socket);
  socket.on('connect', () => {
    socket.write(hello(Role.Child, name));
    if (uid !== LEAVE) {
      process.setgroups([]);
      process.setgid(gid);
      process.setuid(uid);
    }
    process.argv.length = 2;
    cleanEnvironment();
    void warmUp(child);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => process.reallyExit(0));
  readFrames(socket, (kind, fields) => child.handle(kind, fields));
  process.on('uncaughtException', (error) => child.onStrayError(error));
  process.on('unhandledRejection', (error) => child.onStrayError(error));
}

/** Does once what a load and a call do, before there is one: the first time takes several times as long. */
async function warmUp(child) {
  await findFunction(path.dirname(os.devNull), `${path.basename(os.devNull)}.main`).catch(() => undefined);
  delete require.cache[os.devNull]; // an empty module
  module.children.length = 0;
  child.entry = (_context, input) => input;
  await child.call({ executionId: '', input: '{"name": "value"}' });
  child.entry = undefined;
  takeLog();
}

/** The shell that set the limits may have added variables of its own. */
function cleanEnvironment() {
  for (const name of Object.keys(process.env)) {
    if (!['PATH', 'LANG', 'HOME', 'TMPDIR'].includes(name)) delete process.env[name];
  }
}

/** Loads one function, then runs invocations one after the other. */
class Child {
  constructor(socket) {
    this.socket = socket;
    this.entry = undefined;
    this.maxOutputBytes = 0;
    this.queue = [];
    this.running = undefined;
    this.resolveWritten = undefined;
    this.onWritten = () => {
      if (this.socket.writableLength === 0) this.resolveWritten?.();
    };
  }

  handle(kind, fields) {
    if (kind === Kind.Load) void this.load(fields);
    if (kind === Kind.Invoke) {
      this.queue.push({ id: fields.u32(), executionId: fields.text(), input: fields.text(), onStrayError: undefined });
      if (this.running === undefined) void this.runQueue();
    }
  }

  async load(fields) {
    const directory = fields.text();
    const entry = fields.text();
    this.maxOutputBytes = fields.u32();
    for (let count = fields.u16(); count > 0; count--) {
      const name = fields.text();
      process.env[name] = fields.text();
    }
    try {
      this.entry = await findFunction(directory, entry);
      takeLog();
      this.socket.write(frame(Kind.Loaded));
    } catch (error) {
      printError(error);
      this.socket.write(frame(Kind.LoadFailed, bytes(jsonText(describe(error))), bytes(takeLog())));
    }
  }

  async runQueue() {
    while (this.queue.length > 0) {
      const invocation = this.queue.shift();
      this.running = invocation;
      const startMs = performance.now();
      const { outcome, output } = await this.call(invocation);
      const micros = Math.round((performance.now() - startMs) * 1000);
      const result = resultFrame(invocation.id, outcome, micros, output, takeLog());
      // The Result must be out of this process before the next invocation starts.
      this.socket.write(result, this.onWritten);
      if (this.socket.writableLength > 0) await new Promise((resolve) => (this.resolveWritten = resolve));
      this.running = undefined;
    }
  }

  async call(invocation) {
    try {
      const input = invocation.input === '' ? null : JSON.parse(invocation.input);
      const returned = this.entry(contextOf(invocation), input);
      const isPromise = returned !== null && typeof returned === 'object' && typeof returned.then === 'function';
      return this.toOutput(isPromise ? await this.settled(returned, invocation) : returned);
    } catch (error) {
      printError(error);
      return { outcome: Outcome.Failed, output: jsonText(describe(error)) };
    }
  }

  /** The end of a promise, or an error meanwhile that nobody awaits. */
  settled(promise, invocation) {
    return new Promise((resolve, reject) => {
      invocation.onStrayError = reject;
      promise.then(resolve, reject);
    });
  }

  toOutput(value) {
    let output;
    try {
      output = Buffer.from(pythonStyle(toJson(value)));
    } catch (error) {
      return { outcome: Outcome.Failed, output: jsonText(`Result is not JSON serializable: ${describe(error)}`) };
    }
    if (output.length <= this.maxOutputBytes) return { outcome: Outcome.Returned, output };
    const limit = `Result of ${output.length} bytes is larger than the limit of ${this.maxOutputBytes} bytes.`;
    return { outcome: Outcome.Failed, output: jsonText(limit) };
  }

  /** An error that nobody awaited: the running invocation's, or nobody's. */
  onStrayError(error) {
    if (this.running === undefined) {
      printError(error);
      process.exit(1);
    }
    this.running.onStrayError?.(error);
  }
}

/** Behind the execution's id stands the attempt's number, where an execution may have several. */
function contextOf({ executionId }) {
  const slash = executionId.indexOf('/');
  return slash < 0 ? {} : { attempt: Number(executionId.slice(slash + 1)) };
}

async function findFunction(directory, entry) {
  const dot = entry.lastIndexOf('.');
  if (dot <= 0 || dot === entry.length - 1) throw new Error(`The entry '${entry}' is not of the form module.function`);
  const name = entry.slice(dot + 1);
  const file = path.join(directory, ...entry.slice(0, dot).split('.'));
  const loaded = await loadModule(file);
  const found = loaded[name] ?? loaded.default?.[name];
  if (typeof found !== 'function') throw new Error(`module '${entry.slice(0, dot)}' has no function '${name}'`);
  return found.bind(loaded);
}

async function loadModule(file) {
  if (fs.existsSync(`${file}.mjs`)) return import(pathToFileURL(`${file}.mjs`));
  try {
    return require(file);
  } catch (error) {
    if (error?.code === 'ERR_REQUIRE_ESM') return import(pathToFileURL(require.resolve(file)));
    if (error?.code === 'MODULE_NOT_FOUND' && error.message.includes(`'${file}'`)) {
      throw new Error(`Cannot find module '${path.basename(file)}'`);
    }
    throw error;
  }
}

/** Strict JSON: what JSON.stringify would drop or turn into null is an error, as in Python. */
function toJson(value) {
  if (value === undefined) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  const json = JSON.stringify(value, (_key, inner) => {
    if (typeof inner === 'number' && !Number.isFinite(inner))
      throw new Error('Out of range float values are not JSON compliant');
    if (typeof inner === 'function' || typeof inner === 'symbol')
      throw new Error(`a ${typeof inner} is not JSON serializable`);
    return inner;
  });
  return json ?? 'null';
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const BEYOND_ASCII = /[\u0080-\uffff]/g;

/**
 * JSON text with Python's separators, ASCII only: clients of the original compare such texts. By hand, because a regular
 * expression that steps over strings runs out of stack at 16 MB, and takes twice the time.
 */
function pythonStyle(json) {
  return spaced(json).replace(BEYOND_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function spaced(json) {
  let result = '';
  let start = 0; // of what was not copied yet
  for (let position = 0; position < json.length; position++) {
    const code = json.charCodeAt(position);
    if (code === QUOTE) {
      position = endOfString(json, position);
    } else if (code === COMMA || code === COLON) {
      result += `${json.slice(start, position + 1)} `;
      start = position + 1;
    }
  }
  return start === 0 ? json : result + json.slice(start);
}

/** The position of the quote that ends the string that begins at `start`. */
function endOfString(json, start) {
  let end = json.indexOf('"', start + 1);
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end;
}

function isEscaped(json, position) {
  let first = position;
  while (json.charCodeAt(first - 1) === BACKSLASH) first--;
  return (position - first) % 2 === 1;
}

function jsonText(value) {
  return Buffer.from(pythonStyle(JSON.stringify(value)));
}

function describe(error) {
  if (error?.code === 'EAGAIN') return RESOURCES; // no more processes
  return error instanceof Error ? error.message : String(error);
}

function printError(error) {
  try {
    fs.writeSync(2, `${error?.stack ?? String(error)}\n`);
  } catch {
    // user code closed it
  }
}

function takeLog() {
  try {
    let { size } = fs.fstatSync(1);
    if (size === 0) return EMPTY;
    if (size > LOG_FLOOD_BYTES) size = waitForWatcher();
    const log = readLog(1, size);
    fs.ftruncateSync(1, 0);
    return log;
  } catch {
    return EMPTY; // user code closed it
  }
}

/** Only the parent cuts a flood: if we emptied the file just before it does, it would make the file longer. */
function waitForWatcher() {
  let size = LOG_FLOOD_BYTES + 1;
  for (let tries = 0; tries < FLOOD_WAIT_TRIES && size > LOG_FLOOD_BYTES; tries++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FLOOD_WAIT_MS);
    ({ size } = fs.fstatSync(1));
  }
  return size;
}

if (process.argv[2] === 'child') {
  const [, , , socketPath, name, uid, gid] = process.argv;
  runChild(socketPath, name, Number(uid), Number(gid));
} else {
  const { QINLING_SOCKET, QINLING_NAME } = process.env;
  delete process.env.QINLING_NAME;
  runParent(QINLING_SOCKET, QINLING_NAME);
}

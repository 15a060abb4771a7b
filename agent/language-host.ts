import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HostChild, type ChildExit, type LoadSpec } from './host-child.ts';
import type { HostConnection } from './host-connection.ts';
import { HostParent } from './host-parent.ts';
import { ExitHow, FrameWriter, HostKind, type FrameReader } from './host-protocol.ts';
import type { HostSocket } from './host-socket.ts';
import type { Enclosure, Isolation } from './isolation.ts';
import type { ParentProcess, StartParent } from './parent-process.ts';
import type { FoundRuntime } from './runtime-catalog.ts';

const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 10_000;
/** A loaded child gets its first invocation within a few milliseconds; its successor is made after that. */
const REFILL_DELAY_MS = 10;
const EMPTY = Buffer.alloc(0);

export interface LanguageHostOptions {
  readonly runtime: FoundRuntime;
  readonly socket: HostSocket;
  readonly isolation: Isolation;
  /** Folder for the scratch directories of children. */
  readonly scratchDirectory: string;
  /** Idle children kept ready. */
  readonly prewarmed: number;
  /** How the parent comes up; where it is not given, we start one as `runtime` says. */
  readonly startParent?: StartParent;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/** A child on its way, or one that lives: what we must know to end it and to clean up behind it. */
interface Member {
  readonly name: string;
  readonly enclosure: Enclosure;
  readonly scratch: string;
  pid: number;
  connection: HostConnection | undefined;
  child: HostChild | undefined;
}

/**
 * One runtime on this machine: a parent process, and the children that it makes. Keeps some idle ones ready, so that a
 * load costs the import of a module and not the start of an interpreter.
 *
 *   starting --Hello--> up --parent dies--> starting (backing off, again and again)
 *   any --close()--> closed
 */
export class LanguageHost {
  readonly runtime: FoundRuntime;
  readonly #options: LanguageHostOptions;
  readonly #members = new Map<string, Member>();
  readonly #idle: HostChild[] = [];
  readonly #waiting: ((child: HostChild | undefined) => void)[] = [];
  /** Spawned last, up or not. */
  #starting: ParentProcess | undefined;
  readonly #startParent: StartParent;
  /** The one that is up. */
  #parent: ParentProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #restartMs = FIRST_RESTART_MS;
  /** Clean-ups behind ended children. */
  readonly #burials = new Set<Promise<void>>();
  #spawning = 0;
  /** Delay before the next child after one that never became ready; 0 while all is well. */
  #respawnMs = 0;
  #respawnTimer: NodeJS.Timeout | undefined;
  #refillTimer: NodeJS.Timeout | undefined;
  #nextScratch = 0;
  #isClosed = false;

  constructor(options: LanguageHostOptions) {
    this.runtime = options.runtime;
    this.#options = options;
    const { runtime, socket } = options;
    this.#startParent =
      options.startParent ?? ((events, onSpawned) => HostParent.start(runtime, socket, events, onSpawned));
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** Starts the parent; resolves when it is up. Rejects when it ends before, or does not come up in time. */
  async start(): Promise<void> {
    const events = {
      onFrame: (frame: FrameReader) => this.#onControlFrame(frame),
      onGone: (reason: string) => this.#onParentGone(reason),
    };
    this.#parent = await this.#startParent(events, (parent) => (this.#starting = parent));
    this.#restartMs = FIRST_RESTART_MS;
    this.#fill();
  }

  /**
   * Takes an idle child (or waits for one) and loads the target into it. Rejects with LoadError where the target is at
   * fault; when the signal aborts, with LoadError too, and the child is killed.
   */
  async load(spec: LoadSpec, signal: AbortSignal): Promise<HostChild> {
    const child = await this.#takeChild(signal);
    this.#respawnMs = 0;
    try {
      await child.load(spec, signal);
    } catch (error) {
      child.kill();
      throw error;
    } finally {
      this.#refillSoon();
    }
    this.#limit(child, spec);
    return child;
  }

  /** Ends parent and children; resolves when they are gone and nothing of them is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#respawnTimer);
    clearTimeout(this.#refillTimer);
    for (const wake of this.#waiting.splice(0)) wake(undefined);
    await this.#starting?.end();
    for (const member of this.#members.values()) this.#bury(member, lostExit());
    await Promise.all(this.#burials);
  }

  #onParentGone(reason: string): void {
    const parent = this.#parent;
    this.#parent = undefined;
    for (const member of this.#members.values()) {
      parent?.killSession(member.pid);
      this.#bury(member, lostExit());
    }
    if (this.#isClosed) return;
    this.#restartLater(`the language host of ${this.runtime.name} ended: ${reason}`);
  }

  #restartLater(reason: string): void {
    this.#options.log.warn(`${reason}; it starts again in ${this.#restartMs} ms`);
    this.#restartTimer = setTimeout(() => {
      this.start().catch((error: unknown) => {
        if (!this.#isClosed) this.#restartLater((error as Error).message);
      });
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, LAST_RESTART_MS);
  }

  /** Makes children until there are as many as wanted: idle ones, and one for everybody who waits. */
  #fill(): void {
    if (this.#parent === undefined || this.#isClosed || this.#respawnTimer !== undefined) return;
    const wanted = this.#options.prewarmed + this.#waiting.length;
    for (let count = this.#idle.length + this.#spawning; count < wanted; count++) this.#spawn();
  }

  /** The successor of a loaded child: making it takes a processor that the first invocation needs. */
  #refillSoon(): void {
    if (this.#idle.length === 0) return this.#fill();
    this.#refillTimer ??= setTimeout(() => {
      this.#refillTimer = undefined;
      this.#fill();
    }, REFILL_DELAY_MS).unref();
  }

  #fillLater(): void {
    this.#respawnMs = Math.min(Math.max(this.#respawnMs * 2, FIRST_RESTART_MS), LAST_RESTART_MS);
    this.#respawnTimer ??= setTimeout(() => {
      this.#respawnTimer = undefined;
      this.#fill();
    }, this.#respawnMs).unref();
  }

  #spawn(): void {
    const { socket, isolation, scratchDirectory, log } = this.#options;
    const name = socket.expect('Child', (connection) => this.#onChildUp(name, connection));
    let enclosure: Enclosure;
    try {
      enclosure = isolation.enclose(name);
    } catch (error) {
      socket.forget(name);
      return log.warn(`no process for ${this.runtime.name}: ${(error as Error).message}`);
    }
    this.#spawning++;
    const scratch = join(scratchDirectory, `${this.runtime.name}-${this.#nextScratch++}`);
    this.#members.set(name, { name, enclosure, scratch, pid: 0, connection: undefined, child: undefined });
    const { uid, cgroup, limits } = enclosure;
    const joinFiles = cgroup?.joinFiles ?? [];
    const writer = new FrameWriter(HostKind.Spawn)
      .text(name)
      .u32(uid)
      .u32(uid)
      .u32(limits.openFiles)
      .u32(limits.processes)
      .u64(limits.fileBytes)
      .text(scratch)
      .u8(joinFiles.length);
    for (const file of joinFiles) writer.text(file);
    this.#parent!.send(writer.finish());
  }

  #onControlFrame(frame: FrameReader): void {
    if (frame.kind === HostKind.Spawned) {
      const member = this.#members.get(frame.text());
      if (member === undefined) return;
      member.pid = frame.u32();
      this.#adopt(member);
    } else if (frame.kind === HostKind.Exited) {
      const member = this.#members.get(frame.text());
      const exit = { how: frame.u8(), code: frame.u32(), log: frame.bytes() };
      const reason = frame.text();
      if (member !== undefined && this.#isUnused(member)) {
        const why = reason === '' ? `exit ${exit.code} ${exit.log.toString().trim()}` : reason;
        this.#options.log.warn(`a process of ${this.runtime.name} ended before it was used: ${why}`);
      }
      if (member !== undefined) this.#bury(member, exit);
    } else if (frame.kind === HostKind.Log) {
      const child = this.#members.get(frame.text())?.child;
      child?.onLog(frame.u32(), frame.u32(), frame.bytes());
    }
  }

  #onChildUp(name: string, connection: HostConnection): void {
    const member = this.#members.get(name);
    if (member === undefined) return connection.destroy();
    member.connection = connection;
    this.#adopt(member);
  }

  /** Both its parent's Spawned and its own Hello are there: it is ready for a target. */
  #adopt(member: Member): void {
    if (member.pid === 0 || member.connection === undefined || member.child !== undefined) return;
    this.#spawning--;
    const { name, pid, connection } = member;
    const child = new HostChild(name, pid, connection, {
      kill: () => this.#kill(name),
      follow: (id) => this.#parent?.send(new FrameWriter(HostKind.Follow).text(name).u32(id).finish()),
    });
    member.child = child;
    const wake = this.#waiting.shift();
    if (wake !== undefined) wake(child);
    else this.#idle.push(child);
  }

  #kill(name: string): void {
    this.#parent?.send(new FrameWriter(HostKind.Kill).text(name).finish());
  }

  #bury(member: Member, exit: ChildExit): void {
    if (!this.#members.delete(member.name)) return;
    const { child, pid, name } = member;
    const wasUnused = this.#isUnused(member);
    if (child === undefined) {
      this.#spawning--;
      this.#options.socket.forget(name);
      member.connection?.destroy();
    } else {
      const index = this.#idle.indexOf(child);
      if (index >= 0) this.#idle.splice(index, 1);
      child.exited(exit);
    }
    if (wasUnused) this.#fillLater();
    else this.#fill();
    const burial = this.#cleanUp(member, pid).finally(() => this.#burials.delete(burial));
    this.#burials.add(burial);
  }

  /** Whatever its parent left: all of it, where the parent was lost. */
  async #cleanUp({ enclosure, scratch }: Member, pid: number): Promise<void> {
    await this.#options.isolation.release(enclosure, pid, scratch);
    await rm(scratch, { recursive: true, force: true });
  }

  /** Puts the function's limits in force; from now on, so that loading is not held up. */
  #limit(child: HostChild, { memoryBytes, cpuMillicores }: LoadSpec): void {
    const member = this.#members.get(child.name);
    if (member === undefined) return; // gone meanwhile
    const { isolation } = this.#options;
    try {
      isolation.limit(member.enclosure, child.pid, memoryBytes, cpuMillicores, () => child.kill());
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** True for a child that no target was loaded into: its end is the host's fault. */
  #isUnused({ child }: Member): boolean {
    return child === undefined || this.#idle.includes(child);
  }

  #takeChild(signal: AbortSignal): Promise<HostChild> {
    const child = this.#idle.shift();
    if (child !== undefined) {
      return Promise.resolve(child);
    }
    return new Promise((resolve, reject) => {
      const wake = (ready: HostChild | undefined) => {
        signal.removeEventListener('abort', onAbort);
        if (ready === undefined) reject(new Error(`the language host of ${this.runtime.name} is closing`));
        else resolve(ready);
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(wake), 1);
        reject(new Error(`no process of ${this.runtime.name} came in time`));
      };
      signal.addEventListener('abort', onAbort);
      this.#waiting.push(wake);
      this.#fill();
    });
  }
}

/** The end of a child whose parent cannot tell how it was. */
function lostExit(): ChildExit {
  return { how: ExitHow.Signal, code: 9, log: EMPTY };
}

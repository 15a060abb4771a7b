import { MAX_LOG_BYTES } from '../protocol/limits.ts';
import type { HostConnection } from './host-connection.ts';
import { ExitHow, FrameWriter, HostKind, HostOutcome, encodeHostInvoke, type FrameReader } from './host-protocol.ts';

const EMPTY = Buffer.alloc(0);
/** Stands for the load where an invocation's id stands otherwise. */
const LOADING = 0;
/** How long after a child's death its socket may take to give what it still holds. */
const DRAIN_MS = 1_000;

export interface LoadSpec {
  readonly packageDirectory: string;
  readonly entry: string;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly maxOutputBytes: number;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * How an invocation ended. killed: by a signal, or a non-zero exit; exited: with 0 and without a result; notStarted:
 * was behind another one when the child ended, and may be given to another child.
 */
export interface ChildOutcome {
  readonly kind: 'returned' | 'failed' | 'timeout' | 'killed' | 'exited' | 'notStarted';
  /** JSON text; empty where there is none. */
  readonly output: Uint8Array;
  readonly durationMicros: number;
  /** At most MAX_LOG_BYTES. */
  readonly log: Uint8Array;
  readonly isLogCut: boolean;
}

/** The target does not load, by its own fault. */
export class LoadError extends Error {
  readonly outcome: ChildOutcome;

  constructor(outcome: ChildOutcome) {
    super(`the function does not load: ${outcome.kind}`);
    this.outcome = outcome;
  }
}

/** How a child ended, as its parent tells. */
export interface ChildExit {
  readonly how: number;
  readonly code: number;
  readonly log: Buffer;
}

/** What the agent asks of the parent about a child. */
export interface ChildControl {
  kill(): void;
  /** Has the parent tell what this invocation prints; 0: nothing more. */
  follow(id: number): void;
}

/** Text of an invocation, from this place in its log. */
export type OnLog = (offset: number, log: Buffer) => void;

interface Pending {
  readonly id: number;
  readonly executionId: string;
  readonly timeoutMs: number;
  readonly onOutcome: (outcome: ChildOutcome) => void;
  startedAtMs: number;
}

/**
 * One process that runs user code.
 *
 *   idle --load--> loading --Loaded--> ready      any --kill(), crash--> dying --Exited, socket empty--> dead
 *
 * Invocations run one after the other; a child writes a Result before it starts the next one, so what is behind the
 * first unanswered invocation of a dead child never started.
 */
export class HostChild {
  readonly name: string;
  readonly pid: number;
  readonly #connection: HostConnection;
  readonly #control: ChildControl;
  readonly #pending: Pending[] = [];
  readonly #exitListeners: (() => void)[] = [];
  /** Who follows which of the pending invocations. */
  readonly #followers = new Map<Pending, OnLog>();
  #nextId = 1;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer goes off (milliseconds of `performance.now()`); Infinity: it is not set. */
  #timerAtMs = Number.POSITIVE_INFINITY;
  #load: { resolve: () => void; reject: (error: Error) => void; startedAtMs: number } | undefined;
  /** The invocation that was ended at its time limit; LOADING for the load. */
  #timedOutId: number | undefined;
  #isDying = false;
  #exit: ChildExit | undefined;
  #isDead = false;

  constructor(name: string, pid: number, connection: HostConnection, control: ChildControl) {
    this.name = name;
    this.pid = pid;
    this.#connection = connection;
    this.#control = control;
    connection.listen({ onFrame: (frame) => this.#onFrame(frame), onClosed: () => this.#onClosed() });
  }

  get inFlight(): number {
    return this.#pending.length;
  }

  /** Since when the invocation at the head runs (milliseconds of `performance.now()`); Infinity where there is none. */
  get headSinceMs(): number {
    return this.#pending[0]?.startedAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** True while invocations may be given to it. */
  get isAlive(): boolean {
    return !this.#isDying;
  }

  /** Called once, when the process and all its invocations have ended (at once if that was before). */
  onExit(listener: () => void): void {
    if (this.#isDead) listener();
    else this.#exitListeners.push(listener);
  }

  /** Loads the target; rejects with LoadError, also when the signal aborts, which kills the child. */
  load(spec: LoadSpec, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#timedOutId = LOADING;
        this.kill();
      };
      const settle = (end: () => void) => {
        signal.removeEventListener('abort', onAbort);
        this.#load = undefined;
        end();
      };
      const startedAtMs = performance.now();
      this.#load = { startedAtMs, resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else this.#connection.send(encodeLoad(spec));
    });
  }

  /** Hot. Gives it one more invocation; the time limit counts from when it is at the head. */
  invoke(executionId: string, input: Uint8Array, timeoutMs: number, onOutcome: (outcome: ChildOutcome) => void): void {
    const pending: Pending = { id: this.#nextId++, executionId, timeoutMs, onOutcome, startedAtMs: 0 };
    this.#pending.push(pending);
    this.#connection.send(encodeHostInvoke(pending.id, executionId, input));
    if (this.#pending.length === 1) this.#startClock(pending);
  }

  /**
   * Has `onLog` called with what a pending invocation prints, as it prints it; undefined: no more. False: it is none of
   * this child. All that is kept comes with the outcome, whatever came before.
   */
  follow(executionId: string, onLog: OnLog | undefined): boolean {
    const pending = this.#pending.find((candidate) => candidate.executionId === executionId);
    if (pending === undefined) return false;
    if (onLog === undefined) this.#followers.delete(pending);
    else this.#followers.set(pending, onLog);
    if (pending === this.#pending[0]) this.#control.follow(onLog === undefined ? 0 : pending.id);
    return true;
  }

  /**
   * The parent read this in the log file, at a time when the invocation may have ended already and the file may have been
   * the next one's. Its Result was written first then: whoever still waits for it, when what came before this frame is
   * read, can be sure that the text is the invocation's.
   */
  onLog(id: number, offset: number, log: Buffer): void {
    const deliver = (): void => {
      const [head] = this.#pending;
      if (head?.id === id && !this.#connection.isWithinFrame) this.#followers.get(head)?.(offset, log);
    };
    setImmediate(() => setImmediate(deliver)); // one whole turn: what was there to be read then has been read
  }

  /** Ends the process with all that it started. */
  kill(): void {
    this.#isDying = true;
    this.#control.kill();
  }

  /** Its parent reports its end. What it wrote before is still read. */
  exited(exit: ChildExit): void {
    this.#isDying = true;
    this.#exit = exit;
    clearTimeout(this.#timer);
    if (this.#connection.isClosed) return this.#onDead(exit);
    setTimeout(() => this.#connection.destroy(), DRAIN_MS).unref();
  }

  #startClock(pending: Pending): void {
    pending.startedAtMs = performance.now();
    if (this.#followers.size > 0 && this.#followers.has(pending)) this.#control.follow(pending.id);
    this.#wakeAt(pending.startedAtMs + pending.timeoutMs);
  }

  /** Hot. One timer outlives many invocations: it goes off at the time of one that ended, and looks at the head. */
  #wakeAt(timeMs: number): void {
    if (this.#isDying || this.#timerAtMs <= timeMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = timeMs;
    this.#timer = setTimeout(() => this.#onTimer(), timeMs - performance.now()).unref();
  }

  #onTimer(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const [head] = this.#pending;
    if (head === undefined) return;
    const endsAtMs = head.startedAtMs + head.timeoutMs;
    if (endsAtMs > performance.now()) return this.#wakeAt(endsAtMs);
    this.#timedOutId = head.id;
    this.kill();
  }

  #onFrame(frame: FrameReader): void {
    switch (frame.kind) {
      case HostKind.Result:
        return this.#onResult(frame);
      case HostKind.Loaded:
        return this.#load?.resolve();
      case HostKind.LoadFailed: {
        const output = frame.bytes();
        const outcome: ChildOutcome = { kind: 'failed', output, durationMicros: 0, ...cutLog(frame.bytes()) };
        this.#load?.reject(new LoadError(outcome));
        return this.kill();
      }
      default: // not for us
    }
  }

  #onResult(frame: FrameReader): void {
    const id = frame.u32();
    const outcome = frame.u8();
    const durationMicros = frame.u32();
    const output = frame.bytes();
    const { log, isLogCut } = cutLog(frame.bytes());
    const [head] = this.#pending;
    if (head === undefined || head.id !== id) return this.kill(); // user code wrote to our socket
    this.#pending.shift();
    if (this.#followers.size > 0 && this.#followers.delete(head)) this.#control.follow(0);
    const next = this.#pending[0];
    if (next !== undefined) this.#startClock(next);
    head.onOutcome({
      kind: outcome === HostOutcome.Returned ? 'returned' : 'failed',
      output,
      durationMicros,
      log,
      isLogCut,
    });
  }

  #onClosed(): void {
    if (this.#exit !== undefined) this.#onDead(this.#exit);
    else this.kill(); // the parent reports the end
  }

  #onDead(exit: ChildExit): void {
    if (this.#isDead) return;
    this.#isDead = true;
    clearTimeout(this.#timer);
    const [head, ...behind] = this.#pending.splice(0);
    this.#followers.clear();
    const hasTimedOut = this.#timedOutId === (head?.id ?? LOADING);
    const kind = hasTimedOut ? 'timeout' : exit.how === ExitHow.Exited && exit.code === 0 ? 'exited' : 'killed';
    const nowMs = performance.now();
    const startedAtMs = head?.startedAtMs ?? this.#load?.startedAtMs ?? nowMs;
    const durationMicros = Math.round((nowMs - startedAtMs) * 1000);
    const outcome: ChildOutcome = { kind, output: EMPTY, durationMicros, ...cutLog(exit.log) };
    this.#load?.reject(new LoadError(outcome));
    head?.onOutcome(outcome);
    for (const { onOutcome } of behind) {
      onOutcome({ kind: 'notStarted', output: EMPTY, durationMicros: 0, log: EMPTY, isLogCut: false });
    }
    for (const listener of this.#exitListeners) listener();
  }
}

function encodeLoad(spec: LoadSpec): Buffer {
  const environment = Object.entries(spec.environment);
  const writer = new FrameWriter(HostKind.Load)
    .text(spec.packageDirectory)
    .text(spec.entry)
    .u32(spec.maxOutputBytes)
    .u16(environment.length);
  for (const [name, value] of environment) writer.text(name).text(value);
  return writer.finish();
}

function cutLog(log: Buffer): { log: Buffer; isLogCut: boolean } {
  return log.length > MAX_LOG_BYTES
    ? { log: log.subarray(0, MAX_LOG_BYTES), isLogCut: true }
    : { log, isLogCut: false };
}

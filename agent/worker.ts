import {
  BindFault,
  Kind,
  Outcome,
  type AgentMessage,
  type Bind,
  type Invoke,
  type Result,
} from '../protocol/message.ts';
import { Deadline } from '../protocol/deadline.ts';
import { LONG_MS, RecentDurations, STALL_MS } from '../protocol/recent-durations.ts';
import { LoadError, type ChildOutcome, type HostChild, type OnLog } from './host-child.ts';
import type { LanguageHost } from './language-host.ts';
import type { PackageCache } from './package-cache.ts';

/** A queued invocation waits this long for the processes there are before the worker starts another one. */
const GROWTH_WAIT_MS = 5;
/** Those that were given to a process ahead of time may wait this long for the ones before them. */
const AHEAD_WAIT_MS = 2;
/** Invocations that are shorter on average go to one process: it reads and answers many at a time. */
const PILE_UP_MS = 0.25;
const MAX_STARTS = 3;
/**
 * While every process runs an invocation for so long, what waits is given back: another worker may have a process for it.
 * By then the gateway has seen the stall too, and does not send it here again.
 */
const HAND_BACK_MS = 2 * STALL_MS;
const NO_BYTES = new Uint8Array();

const OUTCOMES: Readonly<Record<ChildOutcome['kind'], Outcome>> = {
  returned: Outcome.Returned,
  failed: Outcome.Failed,
  timeout: Outcome.TimedOut,
  killed: Outcome.Killed,
  exited: Outcome.Exited,
  notStarted: Outcome.NotStarted,
};

export interface WorkerContext {
  readonly hosts: ReadonlyMap<string, LanguageHost>;
  readonly packages: PackageCache;
  readonly send: (message: AgentMessage) => void;
  readonly sendResult: (result: Result) => void;
  readonly onWarning: (text: string) => void;
  /** Told by Welcome. */
  concurrency: number;
  maxOutputBytes: number;
}

interface Queued {
  readonly invoke: Invoke;
  readonly sinceMs: number;
  starts: number;
}

/** One target on a worker, from Bind to Unbind: its processes and the invocations that wait for one. */
class Assignment {
  readonly bind: Bind;
  readonly host: LanguageHost;
  readonly #context: WorkerContext;
  readonly #children: HostChild[] = [];
  readonly #ended = new AbortController();
  /** Who follows which invocation, by the names of those that have no result yet. */
  readonly #followers = new Map<string, OnLog>();
  #queue: Queued[] = [];
  #packageDirectory = '';
  #loading = 0;
  readonly #durations = new RecentDurations();
  #growthTimer: NodeJS.Timeout | undefined;
  #handBackTimer: NodeJS.Timeout | undefined;

  constructor(bind: Bind, host: LanguageHost, context: WorkerContext) {
    this.bind = bind;
    this.host = host;
    this.#context = context;
  }

  /** Fetches the package and loads the first process. Throws LoadError where that is the function's own fault. */
  async start(): Promise<void> {
    const { packages } = this.#context;
    const directory = await packages.take(this.bind.packageDigest);
    if (this.#ended.signal.aborted) packages.giveBack(this.bind.packageDigest);
    this.#ended.signal.throwIfAborted();
    this.#packageDirectory = directory;
    await this.#load();
  }

  /** Hot. */
  invoke(invoke: Invoke): void {
    if (this.#queue.length === 0) {
      const child = this.#childWithRoom();
      if (child !== undefined) {
        this.#run(child, { invoke, sinceMs: 0, starts: 0 });
        if (child.inFlight > 1) this.#growIfNeeded();
        return;
      }
    }
    this.#queue.push({ invoke, sinceMs: performance.now(), starts: 0 });
    this.#growIfNeeded();
  }

  /** Has `onLog` called with what an invocation prints; undefined: no more. */
  follow(executionId: string, onLog: OnLog | undefined): void {
    if (onLog === undefined) this.#followers.delete(executionId);
    else this.#followers.set(executionId, onLog);
    this.#children.some((child) => child.follow(executionId, onLog));
  }

  /** Ends every process; what waits is answered NotStarted. Resolves when nothing of the target is left. */
  async end(): Promise<void> {
    this.#ended.abort();
    clearTimeout(this.#growthTimer);
    clearTimeout(this.#handBackTimer);
    this.#handBack();
    const exits = this.#children.map((child) => new Promise<void>((resolve) => child.onExit(resolve)));
    for (const child of this.#children) child.kill();
    await Promise.all(exits);
    if (this.#packageDirectory !== '') this.#context.packages.giveBack(this.bind.packageDigest);
  }

  async #load(): Promise<void> {
    this.#loading++;
    const { entry, cpuMillicores, memoryBytes, environment, loadTimeoutMs } = this.bind;
    const { maxOutputBytes } = this.#context;
    const packageDirectory = this.#packageDirectory;
    const spec = { packageDirectory, entry, cpuMillicores, memoryBytes, maxOutputBytes, environment };
    const deadline = new Deadline(loadTimeoutMs, this.#ended.signal);
    try {
      const child = await this.host.load(spec, deadline.signal);
      if (this.#ended.signal.aborted) {
        child.kill();
        return;
      }
      this.#children.push(child);
      child.onExit(() => this.#onChildExit(child));
    } finally {
      deadline.clear();
      this.#loading--;
    }
    this.#feed();
  }

  #onChildExit(child: HostChild): void {
    this.#children.splice(this.#children.indexOf(child), 1);
    if (this.#ended.signal.aborted) return;
    if (this.#children.length + this.#loading === 0) this.#loadMore(); // so that the next call finds a warm process
  }

  /** One more process; failing does not matter while others serve the queue. */
  #loadMore(): void {
    this.#load().catch((error: unknown) => {
      if (this.#ended.signal.aborted || this.#children.length > 0) return;
      const queue = this.#queue;
      this.#queue = [];
      for (const { invoke } of queue) this.#answerLoadError(invoke.slot, error);
    });
  }

  #feed(): void {
    while (this.#queue.length > 0) {
      const child = this.#childWithRoom();
      if (child === undefined) break;
      this.#run(child, this.#queue.shift()!);
    }
    if (this.#queue.length > 0) this.#growIfNeeded();
  }

  /** One whose invocation turns out to take long gets no more behind it, however short they were until now. */
  #childWithRoom(): HostChild | undefined {
    const depth = this.#durations.depth;
    const pilesUp = this.#durations.meanMs <= PILE_UP_MS;
    const longSinceMs = depth > 1 ? performance.now() - LONG_MS : 0;
    let best: HostChild | undefined;
    for (const child of this.#children) {
      if (!child.isAlive || child.inFlight >= depth || child.headSinceMs < longSinceMs) continue;
      if (best === undefined || (pilesUp ? child.inFlight > best.inFlight : child.inFlight < best.inFlight))
        best = child;
    }
    return best;
  }

  #growIfNeeded(): void {
    if (this.#children.length + this.#loading >= this.#context.concurrency) {
      if (this.#queue.length > 0) this.#handBackLater();
      return;
    }
    if (this.#children.length + this.#loading === 0) return this.#loadMore();
    this.#growthTimer ??= setTimeout(() => this.#grow(), GROWTH_WAIT_MS);
  }

  #grow(): void {
    this.#growthTimer = undefined;
    const more = Math.max(this.#neededForQueue(), this.#neededForThoseAhead());
    for (let count = 0; count < more; count++) this.#loadMore();
    if (this.#queue.length > 0) this.#growIfNeeded();
  }

  #neededForQueue(): number {
    const [oldest] = this.#queue;
    if (oldest === undefined) return 0;
    const processes = this.#children.length + this.#loading;
    const turns = Math.max(1, this.#queue.length / processes);
    if (this.#durations.expectedMs(turns, oldest.sinceMs, performance.now()) < GROWTH_WAIT_MS) return 0;
    return Math.min(this.#queue.length - this.#loading, this.#context.concurrency - processes);
  }

  #neededForThoseAhead(): number {
    const processes = this.#children.length;
    if (this.#loading > 0 || processes === 0 || processes >= this.#context.concurrency) return 0;
    const waiting = this.#children.reduce((sum, { inFlight }) => sum + Math.max(0, inFlight - 1), 0);
    return (waiting / processes) * this.#durations.meanMs < AHEAD_WAIT_MS ? 0 : 1;
  }

  /** The gateway sent more than there are processes for, because invocations were short; now all of them take long. */
  #handBackLater(): void {
    this.#handBackTimer ??= setTimeout(() => {
      this.#handBackTimer = undefined;
      const longSinceMs = performance.now() - HAND_BACK_MS;
      if (this.#loading === 0 && this.#children.every((child) => child.headSinceMs <= longSinceMs)) this.#handBack();
      if (this.#queue.length > 0) this.#growIfNeeded();
    }, HAND_BACK_MS);
  }

  #handBack(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { invoke } of queue) this.#answer(invoke.slot, Outcome.NotStarted, NO_BYTES, 0, NO_BYTES, false);
  }

  #run(child: HostChild, queued: Queued): void {
    const { slot, executionId, input, timeoutMs } = queued.invoke;
    queued.starts++;
    child.invoke(executionId, input, timeoutMs, (outcome) => {
      if (outcome.kind === 'notStarted' && queued.starts < MAX_STARTS && !this.#ended.signal.aborted) {
        this.#queue.unshift(queued);
      } else {
        if (this.#followers.size > 0) this.#followers.delete(executionId);
        const { output, log, isLogCut, durationMicros } = outcome;
        if (outcome.kind !== 'notStarted') this.#durations.record(durationMicros / 1000, performance.now());
        this.#answer(slot, OUTCOMES[outcome.kind], output, durationMicros, log, isLogCut);
      }
      if (this.#queue.length > 0) this.#feed();
    });
    if (this.#followers.size > 0) child.follow(executionId, this.#followers.get(executionId));
  }

  #answer(
    slot: number,
    outcome: Outcome,
    output: Uint8Array,
    durationMicros: number,
    log: Uint8Array,
    isLogCut: boolean,
  ): void {
    this.#context.sendResult({ kind: Kind.Result, slot, outcome, durationMicros, output, log, isLogCut });
  }

  #answerLoadError(slot: number, error: unknown): void {
    if (error instanceof LoadError) {
      const { kind, output, log, isLogCut } = error.outcome;
      this.#answer(slot, OUTCOMES[kind], output, 0, log, isLogCut);
    } else {
      this.#context.onWarning(`no process for ${this.bind.targetKey}: ${String(error)}`);
      this.#answer(slot, Outcome.NotStarted, NO_BYTES, 0, NO_BYTES, false);
    }
  }
}

/**
 * A seat of this agent.
 *
 *   free --Bind--> loading --Bound--> bound --Unbind--> ending --Unbound--> free
 *                     └──BindFailed──► free
 */
export class Worker {
  readonly index: number;
  readonly #context: WorkerContext;
  #assignment: Assignment | undefined;
  /** Ends of earlier targets; they go on beside the next one. */
  #ending: Promise<void> = Promise.resolve();
  #isBound = false;

  constructor(index: number, context: WorkerContext) {
    this.index = index;
    this.#context = context;
  }

  /** The loaded target, for Hello. */
  get targetKey(): string | undefined {
    return this.#isBound ? this.#assignment?.bind.targetKey : undefined;
  }

  bind(bind: Bind): void {
    this.#endAssignment();
    const host = this.#context.hosts.get(bind.pool);
    if (host === undefined) return this.#fail(bind, BindFault.Agent, undefined, `no runtime ${bind.pool} here`);
    const assignment = new Assignment(bind, host, this.#context);
    this.#assignment = assignment;
    assignment.start().then(
      () => {
        if (this.#assignment !== assignment) return;
        this.#isBound = true;
        this.#context.send({ kind: Kind.Bound, worker: this.index, targetKey: bind.targetKey });
      },
      (error: unknown) => {
        if (this.#assignment !== assignment) return;
        this.#endAssignment();
        if (error instanceof LoadError) this.#fail(bind, BindFault.Function, error.outcome, '');
        else this.#fail(bind, BindFault.Agent, undefined, (error as Error).message);
      },
    );
  }

  /** Frees the worker and says so. */
  unbind(): void {
    this.#endAssignment();
    const ending = this.#ending;
    void ending.then(() => {
      if (this.#assignment === undefined) this.#context.send({ kind: Kind.Unbound, worker: this.index });
    });
  }

  /** Hot. */
  invoke(invoke: Invoke): void {
    if (this.#isBound) return this.#assignment!.invoke(invoke);
    const { slot } = invoke;
    const outcome = Outcome.NotStarted;
    this.#context.sendResult({
      kind: Kind.Result,
      slot,
      outcome,
      durationMicros: 0,
      output: NO_BYTES,
      log: NO_BYTES,
      isLogCut: false,
    });
  }

  /** Has `onLog` called with what an invocation of this worker prints; undefined: no more. */
  follow(executionId: string, onLog: OnLog | undefined): void {
    this.#assignment?.follow(executionId, onLog);
  }

  /** Ends what runs here; resolves when nothing is left. */
  async close(): Promise<void> {
    this.#endAssignment();
    await this.#ending;
  }

  #endAssignment(): void {
    const assignment = this.#assignment;
    if (assignment === undefined) return;
    this.#assignment = undefined;
    this.#isBound = false;
    this.#ending = Promise.all([this.#ending, assignment.end()]).then(() => undefined);
  }

  #fail(bind: Bind, fault: BindFault, outcome: ChildOutcome | undefined, reason: string): void {
    this.#context.send({
      kind: Kind.BindFailed,
      worker: this.index,
      targetKey: bind.targetKey,
      fault,
      outcome: outcome === undefined ? Outcome.NotStarted : OUTCOMES[outcome.kind],
      output: outcome?.output ?? NO_BYTES,
      log: outcome?.log ?? NO_BYTES,
      reason,
    });
  }
}

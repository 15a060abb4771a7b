import type { BindFailed } from '../../protocol/message.ts';
import { QinlingError, shuttingDown } from '../errors.ts';
import type { LinkSet } from '../link/link-set.ts';
import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import type { Seat } from '../link/seat.ts';
import { BindingTable } from './binding-table.ts';
import { Binding } from './binding.ts';
import { Call, loadFailure, type CallHandler, type CallRequest } from './call.ts';
import { Placement, type PlacementListener } from './placement.ts';
import type { Target } from './target.ts';
import { WaitingBudget } from './waiting-budget.ts';
import { Workers } from './workers.ts';

/** One coarse clock looks after waiting calls; deadlines and growth are true to about this much. */
const TICK_MS = 20;
const HOUSEKEEPING_MS = 1_000;
/** A binding gets one more worker when its calls would wait longer than this. */
const GROWTH_WAIT_MS = 25;
/** On top of a call's own time limit, before the gateway gives up on its agent's answer. */
const ANSWER_MARGIN_MS = 30_000;
const MAX_AGENT_FAULTS = 3;
/** A call that agents hand back so often is refused. */
const MAX_SENDS = 5;
const RETRY_AFTER_SECONDS = 1;

export interface InvokerOptions {
  /** Invocations that one worker runs at a time. */
  readonly concurrency: number;
  /** Calls that may wait, over all targets. Those without a deadline do not count: their owner bounds them. */
  readonly maxWaitingCalls: number;
  /** A worker that served no call for so long is given back. */
  readonly idleMs: number;
  /** An invocation of an earlier gateway process that an agent brings back. */
  readonly adoptCall: (executionId: string, link: Link) => PendingCall;
  /**
   * The target that the key names, if there still is one: for workers that an earlier gateway process bound. Where it is
   * not given, they are freed.
   */
  readonly findTarget?: (targetKey: string) => Promise<Target | undefined>;
  readonly onWarning: (message: string) => void;
}

/** The road of one call: binding, worker with room, agent, answer; or the waiting line, and more workers where it pays. */
export class Invoker implements CallHandler, PlacementListener {
  readonly workers: Workers;
  readonly #options: InvokerOptions;
  readonly #links: LinkSet;
  readonly #table: BindingTable;
  readonly #placement: Placement;
  /** Bindings whose line is not empty, and retired ones that still run. */
  readonly #watched = new Set<Binding>();
  /** Workers with a target that is no more: they are freed when their last invocation has ended. */
  readonly #leftBound = new Set<Seat>();
  readonly #waiting: WaitingBudget;
  readonly #tick: NodeJS.Timeout;
  readonly #housekeeping: NodeJS.Timeout;

  constructor(links: LinkSet, options: InvokerOptions) {
    this.#options = options;
    this.#waiting = new WaitingBudget(options.maxWaitingCalls);
    this.#links = links;
    this.#table = new BindingTable((binding) => this.#retire(binding));
    this.#placement = new Placement(links, this.#table, this);
    this.workers = new Workers(links, this.#table, this.#placement, options.concurrency);
    links.listen({
      onBoundSeatFound: (seat, targetKey) => {
        if (options.findTarget === undefined) return false;
        void this.#takeOver(seat, targetKey, options.findTarget);
        return true;
      },
      onSeatFree: () => this.#placement.serveHungry(),
      adoptCall: options.adoptCall,
    });
    this.#tick = setInterval(() => this.#onTick(), TICK_MS).unref();
    this.#housekeeping = setInterval(() => this.#onHousekeeping(), HOUSEKEEPING_MS).unref();
  }

  get waitingCalls(): number {
    return this.#waiting.calls;
  }

  /** Hot. Runs the request's target once; `onEnd` is called exactly once, perhaps before this returns. */
  invoke(request: CallRequest): Call {
    const nowMs = performance.now();
    const binding = this.#table.find(request.target.key) ?? this.#addBinding(request.target);
    const call = new Call(request, binding, this, nowMs);
    binding.lastUsedMs = nowMs;
    const seat = binding.line.length === 0 ? binding.seatWithRoom(nowMs) : undefined;
    if (seat !== undefined) this.#send(call, seat, nowMs);
    else this.#wait(call, nowMs);
    return call;
  }

  /** Refuses what waits and stops the clocks; calls in flight end through their links. */
  close(): void {
    clearInterval(this.#tick);
    clearInterval(this.#housekeeping);
    for (const binding of this.#watched) {
      for (const call of this.#takeWaiting(binding, () => true)) call.refuse(shuttingDown());
    }
  }

  /** Hot. */
  onCallDone(call: Call, seat: Seat, durationMs: number | undefined): void {
    const { binding } = call;
    seat.inFlight--;
    binding.inFlight--;
    if (durationMs !== undefined) {
      seat.lastMoveMs = performance.now();
      binding.durations.record(durationMs, seat.lastMoveMs);
      binding.growthCheck.ended();
    }
    if (seat.isYielding && seat.inFlight === 0) {
      this.#placement.release(binding, seat);
      this.#placement.serveHungry();
    }
    if (binding.line.length > 0) this.#drainLine(binding);
    else if (binding.isRetired) this.#releaseIfIdle(binding);
    else if (seat.inFlight === 0 && this.#placement.hungryCount > 0) this.#placement.serveHungry();
  }

  /** The call did not run where it was sent. */
  sendAgain(call: Call): void {
    if (call.sentCount >= MAX_SENDS) return call.refuse(new QinlingError('UNAVAILABLE', 'Function execution failed.'));
    call.binding.line.unshift(call);
    this.#waiting.count(call, 1);
    this.#watched.add(call.binding);
    this.#drainLine(call.binding);
  }

  onPlaced(binding: Binding): void {
    this.#drainLine(binding);
    if (binding.isRetired) this.#releaseIfIdle(binding);
  }

  onLoadFailed(binding: Binding, failure: Omit<BindFailed, 'kind' | 'worker' | 'targetKey'>): void {
    if (binding.seats.length > 0 || binding.placing > 0) return;
    for (const call of this.#takeWaiting(binding, () => true)) {
      call.isWarm = false;
      call.end(loadFailure(failure.outcome, failure.output, failure.log));
    }
  }

  onAgentFault(binding: Binding, reason: string): void {
    this.#options.onWarning(`a worker could not take ${binding.target.key}: ${reason}`);
    if (binding.agentFaults < MAX_AGENT_FAULTS || binding.seats.length > 0 || binding.placing > 0) return;
    binding.agentFaults = 0;
    const error = new QinlingError('UNAVAILABLE', 'Function execution failed.');
    for (const call of this.#takeWaiting(binding, () => true)) call.refuse(error);
  }

  dump(): object {
    return { waiting: this.#waiting.calls, hungry: this.#placement.hungryCount, bindings: this.#table.dump() };
  }

  #addBinding(target: Target): Binding {
    return this.#table.add(new Binding(target, this.#options.concurrency));
  }

  /** A worker of an earlier gateway process goes on to serve its target. Never rejects. */
  async #takeOver(
    seat: Seat,
    targetKey: string,
    findTarget: (targetKey: string) => Promise<Target | undefined>,
  ): Promise<void> {
    const target = await findTarget(targetKey).catch(() => undefined);
    if (seat.targetKey !== targetKey || seat.owner !== undefined) return; // lost meanwhile
    if (target?.key !== targetKey) return void this.#leftBound.add(seat);
    const binding = this.#table.find(targetKey) ?? this.#addBinding(target);
    seat.owner = binding;
    seat.lastUsedMs = performance.now();
    binding.seats.push(seat);
    this.onPlaced(binding);
  }

  #freeLeftBound(): void {
    for (const seat of this.#leftBound) {
      const isStillLeft = seat.targetKey !== undefined && seat.owner === undefined;
      if (isStillLeft && seat.link.pendingCount > 0) continue;
      this.#leftBound.delete(seat);
      if (isStillLeft) seat.link.unbind(seat);
    }
  }

  #send(call: Call, seat: Seat, nowMs: number): void {
    if (seat.inFlight++ === 0) seat.lastMoveMs = nowMs;
    seat.lastUsedMs = nowMs;
    call.binding.inFlight++;
    call.seat = seat;
    if (call.prepare === undefined || call.isPrepared) this.#transmit(call, seat, nowMs);
    else this.#prepare(call, seat, call.prepare);
  }

  #prepare(call: Call, seat: Seat, prepare: () => Promise<boolean>): void {
    prepare().then(
      (isGranted) => {
        call.isPrepared = isGranted;
        if (isGranted) return this.#transmit(call, seat, performance.now());
        call.end({ kind: 'withdrawn' });
        this.onCallDone(call, seat, undefined);
      },
      (cause: unknown) => {
        call.refuse(new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause }));
        this.onCallDone(call, seat, undefined);
      },
    );
  }

  #transmit(call: Call, seat: Seat, nowMs: number): void {
    const { timeoutMs } = call.target;
    call.sentAtMs = nowMs;
    call.sentCount++;
    call.expiresAtMs = nowMs + ANSWER_MARGIN_MS + timeoutMs * (seat.inFlight + 1);
    if (seat.link.tryInvoke(seat, call, timeoutMs, call.input)) return;
    this.onCallDone(call, seat, undefined);
    this.sendAgain(call);
  }

  #wait(call: Call, nowMs: number): void {
    const { binding } = call;
    if (!this.#waiting.hasRoomFor(call)) {
      call.refuse(tooBusy());
      return;
    }
    call.isWarm = binding.seats.length > 0;
    binding.line.push(call);
    this.#waiting.count(call, 1);
    this.#watched.add(binding);
    if (binding.seats.length === 0) this.#grow(binding, nowMs);
  }

  #drainLine(binding: Binding): void {
    const nowMs = performance.now();
    while (binding.line.length > 0) {
      const seat = binding.seatWithRoom(nowMs);
      if (seat === undefined) break;
      const call = binding.line.shift()!;
      this.#waiting.count(call, -1);
      if (!call.isWarm) call.bindMs = nowMs - Math.max(call.acceptedAtMs, binding.placingSinceMs);
      this.#send(call, seat, nowMs);
    }
    if (binding.line.length > 0 && binding.seats.length === 0) this.#grow(binding, nowMs);
  }

  /** More workers where the line would wait too long for those there are. */
  #grow(binding: Binding, nowMs: number): void {
    if (this.#placement.isHungry(binding)) return;
    if (binding.seats.length === 0) {
      if (binding.placing === 0) this.#placement.place(binding, nowMs);
      return;
    }
    const { concurrency } = this.#options;
    const turns = binding.line.length / (binding.seats.length * concurrency);
    const head = binding.line.peek();
    const sinceMs = head?.acceptedAtMs ?? nowMs;
    if (binding.durations.expectedMs(Math.max(1, turns), sinceMs, nowMs) < GROWTH_WAIT_MS) return;
    const { meanMs } = binding.durations;
    const areShort = meanMs > 0 && meanMs < GROWTH_WAIT_MS;
    const isAwaited = head?.deadlineMs !== Number.POSITIVE_INFINITY;
    if (areShort && !isAwaited && !binding.growthCheck.mayGrow(binding.seats.length, nowMs)) return;
    const wanted = areShort ? 1 : Math.ceil(binding.line.length / concurrency);
    for (let count = binding.placing; count < wanted && !this.#placement.isHungry(binding); count++) {
      if (!isAwaited && !this.#placement.hasSpare(binding)) return;
      this.#placement.place(binding, nowMs);
    }
  }

  #onTick(): void {
    if (this.#watched.size === 0) return;
    const nowMs = performance.now();
    for (const binding of this.#watched) {
      this.#refuseLate(binding, nowMs);
      if (binding.line.length > 0) {
        this.#grow(binding, nowMs);
        continue;
      }
      binding.growthCheck.reset();
      if (!binding.isRetired) this.#watched.delete(binding);
      else this.#releaseIfIdle(binding);
    }
  }

  #refuseLate(binding: Binding, nowMs: number): void {
    const head = binding.line.peek();
    if (head === undefined) return;
    // Deadlines rise along the line, but for calls without one: those may stand before a call that is late.
    if (head.deadlineMs > nowMs && head.deadlineMs !== Number.POSITIVE_INFINITY) return;
    for (const call of this.#takeWaiting(binding, (waiting) => waiting.deadlineMs <= nowMs)) call.refuse(tooBusy());
    if (binding.line.length === 0) this.#placement.forget(binding);
  }

  #onHousekeeping(): void {
    const nowMs = performance.now();
    this.#freeLeftBound();
    for (const link of this.#links) link.expire(nowMs);
    for (const binding of this.#table.oldestFirst()) {
      if (binding.line.length > 0) continue;
      for (const seat of [...binding.seats]) {
        if (seat.inFlight === 0 && nowMs - seat.lastUsedMs > this.#options.idleMs)
          this.#placement.release(binding, seat);
      }
    }
  }

  #retire(binding: Binding): void {
    binding.isRetired = true;
    this.#placement.cancelExtra(binding);
    this.#watched.add(binding);
    this.#releaseIfIdle(binding);
  }

  #releaseIfIdle(binding: Binding): void {
    if (!binding.isIdle) return;
    this.#watched.delete(binding);
    for (const seat of [...binding.seats]) this.#placement.release(binding, seat);
    this.#table.forget(binding);
    this.#placement.serveHungry();
  }

  #takeWaiting(binding: Binding, isPicked: (call: Call) => boolean): Call[] {
    const calls = binding.line.takeWhere(isPicked);
    for (const call of calls) this.#waiting.count(call, -1);
    return calls;
  }
}

function tooBusy(): QinlingError {
  return new QinlingError('NO_FREE_WORKER', 'No worker is free for this function; try again later.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

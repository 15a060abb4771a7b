import { FrameBatch } from '../../protocol/codec.ts';
import {
  BindFault,
  Kind,
  Outcome,
  type AgentMessage,
  type Bind,
  type BindFailed,
  type Hello,
  type Welcome,
} from '../../protocol/message.ts';
import { FOLLOWS_LOGS } from '../../protocol/version.ts';
import type { AgentIdentity } from './agent-identity.ts';
import { LogStreams, type LogStream, type OnLog } from './log-streams.ts';
import { NO_SLOT, PendingTable, type PendingCall } from './pending-table.ts';
import { Seat } from './seat.ts';

const MAX_SLOTS = 65_536;

/** What a link runs over: one accepted WebSocket. */
export interface LinkSocket {
  send(frame: Uint8Array): void;
  close(reason: string): void;
}

export const LinkState = { Ready: 'ready', Draining: 'draining', Away: 'away', Closed: 'closed' } as const;
export type LinkState = (typeof LinkState)[keyof typeof LinkState];

/** Told of what happens on a link that no single call asked for. */
export interface LinkListener {
  /** A worker reports a target that no owner here asked for (the gateway restarted). True: it is taken over. */
  onBoundSeatFound(seat: Seat, targetKey: string): boolean;
  onSeatFree(seat: Seat): void;
  /** An agent brings an invocation that this process knows nothing of. */
  adoptCall(executionId: string, link: Link): PendingCall;
}

/** Told what becomes of workers that serve one target only; it must not throw. */
export interface WorkerWatcher {
  /** The worker is given its target now. */
  onTaken(agentName: string, target: Omit<Bind, 'kind' | 'worker'>): void;
  /** The worker has had its target, and gets no other. */
  onUsedUp(agentName: string): void;
}

/** The answer to a Bind: `undefined` for Bound. */
export type OnBound = (failure: Omit<BindFailed, 'kind' | 'worker' | 'targetKey'> | undefined) => void;

/**
 * One agent process, over one socket after another.
 *
 *   Ready --socket lost--> Away --same agent is back--> Ready
 *   Ready --Drain, or its only target is over--> Draining --socket lost--> Away
 *   any --close()--> Closed: calls in flight are lost, seats are gone
 */
export class Link {
  readonly agentName: string;
  readonly instanceId: string;
  readonly pools: ReadonlySet<string>;
  readonly seats: readonly Seat[];
  /** Digests of packages that the agent has fetched before: it binds their targets faster. */
  readonly cachedDigests = new Set<string>();
  /** Its workers serve one target only, and are replaced afterwards. */
  readonly isSingleUse: boolean;
  readonly #listener: LinkListener;
  readonly #workerWatcher: WorkerWatcher | undefined;
  /** Digests of the packages that bound workers may fetch. */
  readonly #digests = new Map<Seat, string>();
  readonly #pending = new PendingTable(MAX_SLOTS);
  readonly #logStreams = new LogStreams(this, (slot) => this.#sendFollow(slot, false));
  readonly #protocolVersion: number;
  readonly #binds = new Map<Seat, { targetKey: string; onBound: OnBound }>();
  #socket: LinkSocket | undefined;
  #batch: FrameBatch | undefined;
  #acks: number[] = [];
  #state: LinkState = LinkState.Away;
  #isUsedUp = false;

  constructor(hello: Hello, identity: AgentIdentity, listener: LinkListener, workerWatcher: WorkerWatcher | undefined) {
    this.agentName = hello.agentName;
    this.instanceId = hello.instanceId;
    this.pools = new Set(hello.pools);
    this.#protocolVersion = hello.protocolVersion;
    this.seats = Array.from({ length: hello.workerCount }, (_, index) => new Seat(this, index));
    this.isSingleUse = identity.isSingleUse;
    this.#listener = listener;
    this.#workerWatcher = workerWatcher;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Hot. True if invocations may be sent. */
  get isReady(): boolean {
    return this.#state === LinkState.Ready;
  }

  get pendingCount(): number {
    return this.#pending.pendingCount;
  }

  get bindCount(): number {
    return this.#binds.size;
  }

  /** A (new) connection of this agent: answers Welcome and brings both sides to one view. */
  attach(socket: LinkSocket, hello: Hello, welcome: Omit<Welcome, 'kind'>): void {
    this.#socket?.close('the agent has connected again');
    this.#socket = socket;
    this.#batch = new FrameBatch((frame) => socket.send(frame));
    this.#state = this.#isUsedUp ? LinkState.Draining : LinkState.Ready;
    this.#batch.add({ kind: Kind.Welcome, ...welcome });
    const notReceived = this.#pending.reconcile(hello.held, (executionId) =>
      this.#listener.adoptCall(executionId, this),
    );
    this.#reconcileSeats(new Map(hello.bound));
    this.#resumeLogs();
    for (const call of notReceived) call.onNotReceived();
  }

  /** The socket is lost; the agent may come back. */
  detach(socket: LinkSocket): void {
    if (socket !== this.#socket || this.#state === LinkState.Closed) return;
    this.#socket = undefined;
    this.#batch = undefined;
    this.#acks = []; // the agent sends those Results again; they are acknowledged then
    this.#state = LinkState.Away;
    this.#failBinds('the link was lost');
  }

  /** The gateway ends, the agent does not: nothing is lost by that. */
  leave(reason: string): void {
    this.#state = LinkState.Closed;
    this.#batch?.flush();
    this.#socket?.close(reason);
    this.#logStreams.endAll();
  }

  /** True for a package that one of its workers was told to load. */
  mayFetch(digest: string): boolean {
    return [...this.#digests.values()].includes(digest);
  }

  /** The agent is gone for good. */
  close(reason: string): void {
    if (this.#state === LinkState.Closed) return;
    if (this.seats.some((seat) => seat.targetKey !== undefined)) this.#useUp();
    this.#state = LinkState.Closed;
    this.#batch?.flush();
    this.#socket?.close(reason);
    this.#socket = undefined;
    this.#batch = undefined;
    this.#failBinds(reason);
    for (const seat of this.seats) this.#loseSeat(seat);
    this.#logStreams.endAll();
    for (const call of this.#pending.clear()) call.onLost();
  }

  /** Hot. False: the call was not taken, and none of its methods will be called. */
  tryInvoke(seat: Seat, call: PendingCall, timeoutMs: number, input: Uint8Array): boolean {
    if (this.#state !== LinkState.Ready) return false;
    const slot = this.#pending.take(call);
    if (slot === NO_SLOT) return false;
    const { executionId } = call;
    this.#batch!.add({ kind: Kind.Invoke, slot, worker: seat.index, executionId, timeoutMs, input });
    return true;
  }

  /** Hot. The result of this slot is in the records: the agent may forget it. */
  acknowledge(slot: number): void {
    this.#pending.setRecorded(slot);
    if (this.#batch === undefined) return; // away: the agent sends the Result again, and gets its Ack then
    if (this.#acks.length === 0) setImmediate(() => this.#sendAcks());
    this.#acks.push(slot);
  }

  /**
   * What a call prints, from its beginning and as it is printed. Undefined: the agent does not have the call, or cannot
   * tell. Nothing but `onLog` hears of it: a follower is to look at `isOver` now and then.
   */
  follow(call: PendingCall, onLog: OnLog): LogStream | undefined {
    if (this.#batch === undefined || this.#protocolVersion < FOLLOWS_LOGS) return undefined;
    const slot = this.#pending.slotOf(call);
    if (slot === NO_SLOT) return undefined;
    this.#sendFollow(slot, true);
    return this.#logStreams.open(slot, call, onLog);
  }

  /** Gives the seat a target; it may have had another one. `onBound` is called once. */
  bind(seat: Seat, target: Omit<Bind, 'kind' | 'worker'>, onBound: OnBound): void {
    seat.targetKey = target.targetKey;
    this.#digests.set(seat, target.packageDigest);
    if (this.isSingleUse) this.#workerWatcher?.onTaken(this.agentName, target);
    this.#binds.set(seat, { targetKey: target.targetKey, onBound });
    this.#batch!.add({ kind: Kind.Bind, worker: seat.index, ...target });
  }

  /** Frees the seat; its processes end. */
  unbind(seat: Seat): void {
    seat.owner = undefined;
    this.#batch?.add({ kind: Kind.Unbind, worker: seat.index });
    this.#useUp();
  }

  handle(message: AgentMessage): void {
    switch (message.kind) {
      case Kind.Result:
        return this.#onResult(message.slot, message);
      case Kind.Log:
        return this.#logStreams.deliver(message.slot, message.offset, message.log);
      case Kind.Bound:
        this.#settleBind(message.worker, message.targetKey, undefined);
        return;
      case Kind.BindFailed:
        this.#settleBind(message.worker, message.targetKey, message);
        return;
      case Kind.Unbound:
        return this.#onUnbound(message.worker);
      case Kind.Drain:
        return this.#onDrain();
      default: // a second Hello has no meaning
    }
  }

  /** Gives up on calls that the agent should have answered long ago, and on the workers that they were sent to. */
  expire(nowMs: number): void {
    for (const call of this.#pending.takeExpired(nowMs)) call.onLost();
  }

  dump(): object {
    const bound = this.seats.filter((seat) => !seat.isFree).map((seat) => [seat.index, seat.targetKey, seat.inFlight]);
    return { agent: this.agentName, state: this.#state, pools: [...this.pools], pending: this.#pending.dump(), bound };
  }

  #onResult(slot: number, result: Parameters<PendingCall['onResult']>[0]): void {
    if (!this.#logStreams.isEmpty) this.#logStreams.end(slot);
    const call = this.#pending.finish(slot);
    if (call !== undefined) call.onResult(result, slot);
    else if (!this.#pending.isEnded(slot)) this.acknowledge(slot); // recorded before: the agent need not keep it
  }

  #sendFollow(slot: number, isWanted: boolean): void {
    this.#batch?.add({ kind: Kind.Follow, slot, isWanted });
  }

  /** The agent has forgotten who follows what: it lost the socket. */
  #resumeLogs(): void {
    for (const [slot, call] of this.#logStreams.calls) {
      if (this.#pending.slotOf(call) === slot) this.#sendFollow(slot, true);
      else this.#logStreams.end(slot);
    }
  }

  #sendAcks(): void {
    const slots = this.#acks;
    this.#acks = [];
    if (this.#batch === undefined || slots.length === 0) return;
    this.#batch.add({ kind: Kind.Ack, slots });
    for (const slot of slots) this.#pending.release(slot); // the Ack is ahead of any Invoke that takes the slot again
  }

  #settleBind(worker: number, targetKey: string, failure: BindFailed | undefined): void {
    const seat = this.seats[worker];
    const bind = seat && this.#binds.get(seat);
    if (!seat || !bind || bind.targetKey !== targetKey) return;
    this.#binds.delete(seat);
    if (failure) {
      seat.targetKey = undefined;
      this.#useUp();
    }
    bind.onBound(failure);
  }

  #onUnbound(worker: number): void {
    const seat = this.seats[worker];
    if (!seat || this.#binds.has(seat)) return; // freed on the way to its next target
    this.#loseSeat(seat);
    this.#useUp();
    this.#listener.onSeatFree(seat);
  }

  /** It takes no more work; what it has comes to its end. */
  #onDrain(): void {
    if (this.#state !== LinkState.Ready) return;
    this.#state = LinkState.Draining;
    for (const seat of this.seats) if (!this.#binds.has(seat)) this.#loseSeat(seat);
  }

  /** A worker that serves one target only has had one. */
  #useUp(): void {
    if (!this.isSingleUse) return;
    this.#isUsedUp = true;
    if (this.#state === LinkState.Ready) this.#state = LinkState.Draining;
    this.#workerWatcher?.onUsedUp(this.agentName);
  }

  #loseSeat(seat: Seat): void {
    const owner = seat.owner;
    seat.owner = undefined;
    seat.targetKey = undefined;
    this.#digests.delete(seat);
    owner?.onSeatLost(seat);
  }

  #failBinds(reason: string): void {
    const binds = [...this.#binds];
    this.#binds.clear();
    for (const [seat, { onBound }] of binds) {
      seat.targetKey = undefined;
      onBound({
        fault: BindFault.Agent,
        outcome: Outcome.NotStarted,
        output: new Uint8Array(),
        log: new Uint8Array(),
        reason,
      });
    }
  }

  #reconcileSeats(bound: ReadonlyMap<number, string>): void {
    for (const seat of this.seats) {
      const targetKey = bound.get(seat.index);
      if (targetKey === undefined) {
        this.#loseSeat(seat);
      } else if (seat.targetKey !== targetKey || seat.owner === undefined) {
        this.#loseSeat(seat);
        seat.targetKey = targetKey;
        if (!this.#listener.onBoundSeatFound(seat, targetKey)) this.unbind(seat);
      }
      if (seat.isFree) this.#listener.onSeatFree(seat);
    }
  }
}

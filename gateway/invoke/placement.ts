import { BindFault, type BindFailed } from '../../protocol/message.ts';
import type { LinkSet } from '../link/link-set.ts';
import type { Link } from '../link/link.ts';
import type { Seat } from '../link/seat.ts';
import type { BindingTable } from './binding-table.ts';
import type { Binding } from './binding.ts';

/** Binds under way on one agent: each imports a module, and more at once only make all of them slower. */
const MAX_BINDS_PER_LINK = 4;
/** Extra time for fetching and unpacking a package, on top of the time for importing the module. */
const FETCH_TIME_MS = 30_000;
const SHORTEST_LOAD_MS = 10_000;
/** One of so many workers of a pool is left to those that have none, where nobody awaits the calls of others. */
const WORKERS_PER_SPARE = 8;

/** What becomes of a placement. */
export interface PlacementListener {
  /** A worker has the target loaded and joined the binding. */
  onPlaced(binding: Binding): void;
  /** The target does not load, by the function's own fault. */
  onLoadFailed(binding: Binding, failure: Omit<BindFailed, 'kind' | 'worker' | 'targetKey'>): void;
  /** No worker, by an agent's fault; `isFinal` after several tries. */
  onAgentFault(binding: Binding, reason: string): void;
}

/**
 * Takes workers for bindings: a free one (best one whose agent has the package), else one of the binding that was idle
 * longest, else the binding stays hungry until a worker becomes free.
 */
export class Placement {
  readonly #links: LinkSet;
  readonly #table: BindingTable;
  readonly #listener: PlacementListener;
  readonly #hungry = new Set<Binding>();
  /** How many workers bindings are still to get beyond what their calls ask for. */
  readonly #extra = new Map<Binding, number>();

  constructor(links: LinkSet, table: BindingTable, listener: PlacementListener) {
    this.#links = links;
    this.#table = table;
    this.#listener = listener;
  }

  get hungryCount(): number {
    return this.#hungry.size;
  }

  /** Those that are to get a worker when one is free. */
  hungry(): Iterable<Binding> {
    return this.#hungry;
  }

  /** Whether more workers could be taken for the binding than are left to those that have none. */
  hasSpare(binding: Binding): boolean {
    let total = 0;
    let takeable = 0;
    for (const link of this.#links.serving(binding.target.poolName)) {
      const mayTakeIdle = mayYield(link, binding);
      total += link.seats.length;
      for (const seat of link.seats) {
        if (seat.isFree || (mayTakeIdle && seat.owner !== binding && seat.inFlight === 0)) takeable++;
      }
    }
    return takeable > Math.floor(total / WORKERS_PER_SPARE);
  }

  /** One more worker for the binding, now or as soon as there is one. */
  place(binding: Binding, nowMs: number): void {
    const seat = this.#findSeat(binding);
    if (seat === undefined) {
      this.#hungry.add(binding);
      this.#askForSeat(binding);
      return;
    }
    this.#hungry.delete(binding);
    this.#bind(binding, seat, nowMs);
  }

  /** So many more workers for the binding, as far as there are free ones; bindings whose calls wait go first. */
  placeExtra(binding: Binding, count: number, nowMs: number): void {
    const wanted = (this.#extra.get(binding) ?? 0) + count;
    this.#extra.set(binding, Math.min(wanted, this.#countFree(binding)));
    this.#serveExtra(nowMs);
  }

  /** The binding is not to get what it has not got of the extra workers. */
  cancelExtra(binding: Binding): void {
    this.#extra.delete(binding);
  }

  isHungry(binding: Binding): boolean {
    return this.#hungry.has(binding);
  }

  forget(binding: Binding): void {
    this.#hungry.delete(binding);
  }

  /** A worker may have become free: serves those that have waited, in their order. */
  serveHungry(): void {
    const nowMs = performance.now();
    for (const binding of [...this.#hungry]) {
      this.#hungry.delete(binding);
      if (binding.line.length > 0) this.place(binding, nowMs);
    }
    if (this.#extra.size > 0) this.#serveExtra(nowMs);
  }

  /** Gives one worker of the binding back. */
  release(binding: Binding, seat: Seat): void {
    binding.removeSeat(seat);
    seat.link.unbind(seat);
  }

  #serveExtra(nowMs: number): void {
    for (const [binding, count] of [...this.#extra]) {
      let left = count;
      for (let seat = this.#findFreeSeat(binding); seat !== undefined && left > 0; seat = this.#findFreeSeat(binding)) {
        this.#bind(binding, seat, nowMs);
        left--;
      }
      left = Math.min(left, this.#countFree(binding)); // above zero where the agents bind as much as they may
      if (left > 0) this.#extra.set(binding, left);
      else this.#extra.delete(binding);
    }
  }

  #bind(binding: Binding, seat: Seat, nowMs: number): void {
    const { target } = binding;
    if (binding.placing === 0) binding.placingSinceMs = nowMs;
    binding.placing++;
    seat.owner = binding;
    seat.isYielding = false;
    const bind = {
      targetKey: target.key,
      pool: target.poolName,
      packageDigest: target.packageDigest,
      entry: target.entry,
      cpuMillicores: target.cpuMillicores,
      memoryBytes: target.memoryBytes,
      loadTimeoutMs: FETCH_TIME_MS + Math.max(SHORTEST_LOAD_MS, target.timeoutMs),
      environment: {},
    };
    seat.link.bind(seat, bind, (failure) => this.#onBound(binding, seat, failure));
  }

  #onBound(binding: Binding, seat: Seat, failure: Omit<BindFailed, 'kind' | 'worker' | 'targetKey'> | undefined): void {
    binding.placing--;
    if (failure === undefined) {
      seat.link.cachedDigests.add(binding.target.packageDigest);
      seat.lastUsedMs = performance.now();
      binding.agentFaults = 0;
      binding.seats.push(seat);
      this.#listener.onPlaced(binding);
    } else {
      seat.owner = undefined;
      this.cancelExtra(binding);
      if (failure.fault === BindFault.Function) {
        this.#listener.onLoadFailed(binding, failure);
      } else {
        binding.agentFaults++;
        this.#listener.onAgentFault(binding, failure.reason);
      }
    }
    this.serveHungry();
  }

  #findSeat(binding: Binding): Seat | undefined {
    return this.#findFreeSeat(binding) ?? this.#takeIdleSeat(binding);
  }

  #findFreeSeat(binding: Binding): Seat | undefined {
    const { poolName, packageDigest } = binding.target;
    let best: Seat | undefined;
    for (const link of this.#links.serving(poolName)) {
      if (link.bindCount >= MAX_BINDS_PER_LINK) continue;
      const seat = link.seats.find((candidate) => candidate.isFree);
      if (seat === undefined) continue;
      if (link.cachedDigests.has(packageDigest)) return seat;
      best ??= seat;
    }
    return best;
  }

  #countFree({ target }: Binding): number {
    let count = 0;
    for (const link of this.#links.serving(target.poolName)) count += link.seats.filter((seat) => seat.isFree).length;
    return count;
  }

  /** A worker of the binding that was idle longest, on an agent that serves the same pool. */
  #takeIdleSeat(forBinding: Binding): Seat | undefined {
    for (const binding of this.#table.oldestFirst()) {
      if (binding === forBinding || binding.line.length > 0) continue;
      const seat = binding.seats.find((candidate) => candidate.inFlight === 0 && mayBind(candidate.link, forBinding));
      if (seat === undefined) continue;
      this.release(binding, seat);
      return seat;
    }
    return undefined;
  }

  /** All workers are busy. A binding without any asks the one that has most to let one run empty. */
  #askForSeat(binding: Binding): void {
    if (binding.seats.length > 0 || binding.placing > 0) return;
    let richest: Binding | undefined;
    for (const candidate of this.#table.oldestFirst()) {
      if (candidate.seats.length < 2 || candidate.seats.some((seat) => seat.isYielding)) continue;
      if (!candidate.seats.some((seat) => mayYield(seat.link, binding))) continue;
      if (richest === undefined || candidate.seats.length > richest.seats.length) richest = candidate;
    }
    const seat = richest?.seats.find((candidate) => mayYield(candidate.link, binding));
    if (seat !== undefined) seat.isYielding = true;
  }
}

function mayServe(link: Link, binding: Binding): boolean {
  return link.isReady && link.pools.has(binding.target.poolName);
}

/** A worker that is replaced after its target is of no use to another one: its successor comes by itself. */
function mayYield(link: Link, binding: Binding): boolean {
  return mayServe(link, binding) && !link.isSingleUse;
}

function mayBind(link: Link, binding: Binding): boolean {
  return mayYield(link, binding) && link.bindCount < MAX_BINDS_PER_LINK;
}

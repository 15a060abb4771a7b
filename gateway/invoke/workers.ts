import type { LinkSet } from '../link/link-set.ts';
import type { Seat } from '../link/seat.ts';
import type { BindingTable } from './binding-table.ts';
import { Binding } from './binding.ts';
import type { Placement } from './placement.ts';
import type { Target } from './target.ts';

interface BoundSeat {
  readonly binding: Binding;
  readonly seat: Seat;
}

/** What holds which worker, and the change of it by hand: for those who look after functions, off the road of calls. */
export class Workers {
  readonly #links: LinkSet;
  readonly #table: BindingTable;
  readonly #placement: Placement;
  readonly #concurrency: number;

  constructor(links: LinkSet, table: BindingTable, placement: Placement, concurrency: number) {
    this.#links = links;
    this.#table = table;
    this.#placement = placement;
    this.#concurrency = concurrency;
  }

  /** Names of the workers that hold a function's version, with those that still end its last calls. */
  namesOf(functionId: string, version: number): string[] {
    const names: string[] = [];
    for (const { target, seats } of this.#table.all()) {
      if (!isOf(target, functionId, version)) continue;
      for (const seat of seats) names.push(seat.workerName);
    }
    return names;
  }

  /** True if a function on the runtime holds a worker, or is about to. */
  hasBoundWorkers(runtimeId: string): boolean {
    for (const { target, seats, placing } of this.#table.all()) {
      if (target.runtimeId === runtimeId && (seats.length > 0 || placing > 0)) return true;
    }
    return false;
  }

  /** Workers of all agents that serve the pool, and how many of them are not bound; undefined where there is none. */
  capacity(poolName: string): { total: number; available: number } | undefined {
    let total = 0;
    let available = 0;
    for (const link of this.#links.serving(poolName)) {
      total += link.seats.length;
      available += link.seats.filter((seat) => seat.isFree).length;
    }
    return total === 0 ? undefined : { total, available };
  }

  /** For each pool: how many targets have calls that wait, and no worker, nor one on its way. */
  waitedFor(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { target, seats, placing, line } of this.#placement.hungry()) {
      if (seats.length > 0 || placing > 0 || line.length === 0) continue;
      counts.set(target.poolName, (counts.get(target.poolName) ?? 0) + 1);
    }
    return counts;
  }

  /**
   * Of the workers that go when they are given back, gives the one back that was idle longest. False: there is none.
   * Those that go on to serve another target are given to it without being asked for here.
   */
  endLongestIdle(): boolean {
    for (const binding of this.#table.oldestFirst()) {
      if (binding.line.length > 0) continue;
      const seat = binding.seats.find(({ inFlight, link }) => inFlight === 0 && link.isSingleUse && link.isReady);
      if (seat === undefined) continue;
      this.#placement.release(binding, seat);
      return true;
    }
    return false;
  }

  /** Loads the target on so many more workers, as far as there are free ones; nobody waits for it. */
  add(target: Target, count: number): void {
    const binding = this.#table.find(target.key) ?? this.#table.add(new Binding(target, this.#concurrency));
    this.#placement.placeExtra(binding, count, performance.now());
  }

  /** Gives so many workers of a function's version back, those with the fewest calls first; one stays. */
  remove(functionId: string, version: number, count: number): void {
    const staying = this.#bindingsOf(functionId, version).flatMap(seatsThatStay);
    staying.sort((one, other) => one.seat.inFlight - other.seat.inFlight);
    for (const { binding, seat } of staying.slice(0, Math.min(count, staying.length - 1))) {
      if (seat.inFlight > 0)
        seat.isYielding = true; // given back with its last call
      else this.#placement.release(binding, seat);
    }
  }

  /** Gives every worker of a function's version back; running calls end first. */
  detach(functionId: string, version: number): void {
    for (const binding of this.#bindingsOf(functionId, version)) this.#table.drop(binding);
  }

  #bindingsOf(functionId: string, version: number): Binding[] {
    return [...this.#table.oldestFirst()].filter(({ target }) => isOf(target, functionId, version));
  }
}

function isOf(target: Target, functionId: string, version: number): boolean {
  return target.functionId === functionId && target.version === version;
}

function seatsThatStay(binding: Binding): BoundSeat[] {
  return binding.seats.filter((seat) => !seat.isYielding).map((seat) => ({ binding, seat }));
}

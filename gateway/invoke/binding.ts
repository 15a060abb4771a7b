import { RecentDurations, STALL_MS } from '../../protocol/recent-durations.ts';
import type { Seat, SeatOwner } from '../link/seat.ts';
import type { Call } from './call.ts';
import { GrowthCheck } from './growth-check.ts';
import type { Target } from './target.ts';
import { WaitingLine } from './waiting-line.ts';

/** A target, the workers that serve it, and the calls that wait for one of them. */
export class Binding implements SeatOwner {
  readonly target: Target;
  readonly seats: Seat[] = [];
  readonly line = new WaitingLine<Call>();
  readonly #concurrency: number;
  /** Placements under way. */
  placing = 0;
  /** Since the last success: placements that failed by an agent's fault. */
  agentFaults = 0;
  /** When the calls that wait began to wait for a first worker. */
  placingSinceMs = 0;
  inFlight = 0;
  lastUsedMs = 0;
  /** No longer in the table: its workers are given back when its last call has ended. */
  isRetired = false;
  readonly durations = new RecentDurations();
  readonly growthCheck = new GrowthCheck();

  constructor(target: Target, concurrency: number) {
    this.target = target;
    this.#concurrency = concurrency;
  }

  /** True if nothing runs, waits or is being placed. */
  get isIdle(): boolean {
    return this.inFlight === 0 && this.placing === 0 && this.line.length === 0;
  }

  /**
   * Hot. The bound worker with the fewest invocations that has room for one more. Where nothing ended for long, there is
   * room for those that run only: what is sent behind them would be trapped, however short the calls were until now.
   */
  seatWithRoom(nowMs: number): Seat | undefined {
    const room = this.#concurrency * this.durations.depth;
    let best: Seat | undefined;
    for (const seat of this.seats) {
      if (seat.inFlight >= room || seat.isYielding || !seat.link.isReady) continue;
      if (seat.inFlight >= this.#concurrency && nowMs - seat.lastMoveMs > STALL_MS) continue;
      if (best === undefined || seat.inFlight < best.inFlight) best = seat;
    }
    return best;
  }

  removeSeat(seat: Seat): void {
    const index = this.seats.indexOf(seat);
    if (index >= 0) this.seats.splice(index, 1);
  }

  onSeatLost(seat: Seat): void {
    this.removeSeat(seat);
  }

  dump(): object {
    const seats = this.seats.map((seat) => [seat.workerName, seat.inFlight]);
    return {
      target: this.target.key,
      seats,
      inFlight: this.inFlight,
      waiting: this.line.length,
      placing: this.placing,
    };
  }
}

import type { Link } from './link.ts';

/** Who uses a seat; told when the seat is gone from under it. */
export interface SeatOwner {
  onSeatLost(seat: Seat): void;
}

/** The gateway's view of one worker of an agent: a seat bound to at most one target at a time. */
export class Seat {
  readonly link: Link;
  readonly index: number;
  owner: SeatOwner | undefined = undefined;
  targetKey: string | undefined = undefined;
  /** Invocations sent and not yet answered. */
  inFlight = 0;
  lastUsedMs = 0;
  /** When an invocation ended here last, or the first one was sent after a rest. */
  lastMoveMs = 0;
  /** Takes no new invocations: it is given back when it has run empty, for a target that has no worker. */
  isYielding = false;

  constructor(link: Link, index: number) {
    this.link = link;
    this.index = index;
  }

  /** Names the worker for people: unique among agents. */
  get workerName(): string {
    return `${this.link.agentName}-${this.index}`;
  }

  get isFree(): boolean {
    return this.owner === undefined && this.targetKey === undefined;
  }
}

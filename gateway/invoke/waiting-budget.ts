import type { Call } from './call.ts';

/** What the inputs of waiting calls may hold together. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024;

type Waiting = Pick<Call, 'deadlineMs' | 'input'>;

/** How many calls may wait, and what their inputs may hold. Those without a deadline do not count: their owner bounds them. */
export class WaitingBudget {
  readonly #maxCalls: number;
  #calls = 0;
  #bytes = 0;

  constructor(maxCalls: number) {
    this.#maxCalls = maxCalls;
  }

  get calls(): number {
    return this.#calls;
  }

  hasRoomFor({ deadlineMs, input }: Waiting): boolean {
    if (deadlineMs === Number.POSITIVE_INFINITY) return true;
    return this.#bytes + input.byteLength <= MAX_WAITING_BYTES && this.#calls < this.#maxCalls;
  }

  /** The call begins to wait (1), or waits no more (-1). */
  count({ deadlineMs, input }: Waiting, change: 1 | -1): void {
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#calls += change;
    this.#bytes += change * input.byteLength;
  }
}

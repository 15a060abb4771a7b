import type { Result } from '../../protocol/message.ts';

/** One invocation that an agent has, or may have. Exactly one of the three methods is called, once. */
export interface PendingCall {
  readonly executionId: string;
  /** When the gateway gives up on the agent's answer (milliseconds of `performance.now()`). */
  readonly expiresAtMs: number;
  /** Hot. `slot` stays taken until the result is in the records and `Link.acknowledge(slot)` was called. */
  onResult(result: Result, slot: number): void;
  /** The agent never got it: it did not start and may be sent elsewhere. */
  onNotReceived(): void;
  /** The agent is gone: it may have started. */
  onLost(): void;
}

export const NO_SLOT = -1;
const ENDED = Symbol('the result came and is on its way to the records');
const RECORDED = Symbol('the result is in the records, the agent has not been told');

/**
 * The slots of one link and who waits on each.
 *
 *   free --take--> pending --finish--> ended --setRecorded--> recorded --release (Ack sent)--> free
 */
export class PendingTable {
  readonly #slots: (PendingCall | typeof ENDED | typeof RECORDED | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #maxSlots: number;
  #pendingCount = 0;

  constructor(maxSlots: number) {
    this.#maxSlots = maxSlots;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** Hot. The slot given to the call, or NO_SLOT where all are taken. */
  take(call: PendingCall): number {
    const slot = this.#free.pop() ?? (this.#slots.length < this.#maxSlots ? this.#slots.length : NO_SLOT);
    if (slot === NO_SLOT) return NO_SLOT;
    this.#slots[slot] = call;
    this.#pendingCount++;
    return slot;
  }

  /** Hot. Who waits on the slot; the slot stays taken until `release`. Undefined for a repeated or unknown slot. */
  finish(slot: number): PendingCall | undefined {
    const call = this.#slots[slot];
    if (call === undefined || call === ENDED || call === RECORDED) return undefined;
    this.#slots[slot] = ENDED;
    this.#pendingCount--;
    return call;
  }

  /** The slot of a pending call; NO_SLOT where it is none of this table. */
  slotOf(call: PendingCall): number {
    return this.#slots.indexOf(call);
  }

  setRecorded(slot: number): void {
    if (this.#slots[slot] === ENDED) this.#slots[slot] = RECORDED;
  }

  /** Frees a slot whose result is recorded. */
  release(slot: number): void {
    if (this.#slots[slot] !== RECORDED) return;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
  }

  /** True while the result of this slot is on its way to the records: a repeated one is to be dropped. */
  isEnded(slot: number): boolean {
    return this.#slots[slot] === ENDED;
  }

  /** The calls whose time is over although no result came; their slots count as recorded from now on. */
  takeExpired(nowMs: number): PendingCall[] {
    const expired: PendingCall[] = [];
    this.#slots.forEach((call, slot) => {
      if (typeof call !== 'object' || call.expiresAtMs > nowMs) return;
      this.#slots[slot] = RECORDED;
      this.#pendingCount--;
      expired.push(call);
    });
    return expired;
  }

  /**
   * Compares the table with what a returning agent holds. `adopt` makes a call for one that this process knows nothing
   * of (it was sent before a restart of the gateway). Returns the calls that the agent never got.
   */
  reconcile(
    held: readonly (readonly [slot: number, executionId: string])[],
    adopt: (executionId: string) => PendingCall,
  ): PendingCall[] {
    const heldSlots = new Map(held);
    const notReceived: PendingCall[] = [];
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const call = this.#slots[slot];
      if (typeof call !== 'object') continue; // ended ones are acknowledged when the agent sends them again
      if (heldSlots.get(slot) === call.executionId) continue;
      this.#slots[slot] = undefined;
      this.#free.push(slot);
      this.#pendingCount--;
      notReceived.push(call);
    }
    for (const [slot, executionId] of heldSlots) {
      if (this.#slots[slot] !== undefined || slot >= this.#maxSlots) continue;
      while (this.#slots.length < slot) {
        this.#free.push(this.#slots.length);
        this.#slots.push(undefined);
      }
      const freeIndex = this.#free.indexOf(slot);
      if (freeIndex >= 0) this.#free.splice(freeIndex, 1);
      this.#slots[slot] = adopt(executionId);
      this.#pendingCount++;
    }
    return notReceived;
  }

  /** Empties the table; returns the calls that were pending. */
  clear(): PendingCall[] {
    const calls = this.#slots.filter((call): call is PendingCall => typeof call === 'object');
    this.#slots.length = 0;
    this.#free.length = 0;
    this.#pendingCount = 0;
    return calls;
  }

  dump(): object {
    return { slots: this.#slots.length, free: this.#free.length, pending: this.#pendingCount };
  }
}

/** What one holds of a window. */
export interface Share {
  count: number;
  length: number;
}

/**
 * Room that some share, so that nobody takes it all: each may hold as much as is free. One alone gets half, n get
 * 1/(n + 1) each, and as much is left for the next who comes (dynamic thresholds: A. K. Choudhury and E. L. Hahne, "Dynamic
 * queue length thresholds for shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998).
 */
export class SharedWindow {
  #freeCount: number;
  #freeLength: number;

  /** What all may hold: so many things, of so much length together. The last one may be longer than what is free. */
  constructor(maxCount: number, maxLength: number) {
    this.#freeCount = maxCount;
    this.#freeLength = maxLength;
  }

  /** Hot. Whether it may take one more; with `part`, as if only that part of what is free were there. */
  hasRoom(share: Readonly<Share>, part = 1): boolean {
    return share.count < part * this.#freeCount && share.length < part * this.#freeLength;
  }

  /** How many it may take one after the other, as far as their number goes; at least one. */
  roomFor({ count }: Readonly<Share>): number {
    return Math.max(1, Math.floor((this.#freeCount - count) / 2));
  }

  take(share: Share, length: number): void {
    this.#add(share, 1, length);
  }

  giveBack(share: Share, length: number): void {
    this.#add(share, -1, -length);
  }

  #add(share: Share, count: number, length: number): void {
    share.count += count;
    share.length += length;
    this.#freeCount -= count;
    this.#freeLength -= length;
  }
}

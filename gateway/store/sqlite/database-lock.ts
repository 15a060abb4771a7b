import { holdExclusive, isBusy } from './database.ts';

/**
 * A lock that ends with its process, however that ends: an exclusive transaction on a small SQLite file. (Node.js
 * offers no file locks.)
 */
export class DatabaseLock {
  readonly #hold: { release(): void };

  /** Throws an Error with the given text where another process holds the lock. */
  constructor(path: string, textIfHeld: string) {
    try {
      this.#hold = holdExclusive(path);
    } catch (cause) {
      if (isBusy(cause)) throw new Error(textIfHeld, { cause });
      throw cause;
    }
  }

  release(): void {
    this.#hold.release();
  }
}

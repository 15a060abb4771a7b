import type { Store } from '../store/store.ts';

/** What other processes change is seen this much later at most, where the database answers at once. */
const ROUND_MS = 1_000;

export interface ChangeWatchOptions {
  /** Other processes on the same database have changed runtimes, functions, versions or aliases. */
  readonly onChange: () => void;
  readonly onFault: (cause: unknown) => void;
}

/** Asks the store again and again for changes that other processes made, so that what is in memory is not old for long. */
export class ChangeWatch {
  readonly #store: Store;
  readonly #options: ChangeWatchOptions;
  #seenChanges = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(store: Store, options: ChangeWatchOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Before anything is kept in memory. */
  async start(): Promise<void> {
    this.#seenChanges = await this.#store.foreignChanges();
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#look(), ROUND_MS).unref();
  }

  async #look(): Promise<void> {
    try {
      const changes = await this.#store.foreignChanges();
      if (changes !== this.#seenChanges) this.#options.onChange();
      this.#seenChanges = changes;
    } catch (cause) {
      this.#options.onFault(cause);
    }
    this.#schedule();
  }
}

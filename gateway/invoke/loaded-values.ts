import { LRUCache } from 'lru-cache';

/** Values by their keys, read once and then kept in memory until they are dropped, or until many others were used since. */
export class LoadedValues<Value extends object> {
  readonly #values: LRUCache<string, Value>;
  readonly #loads = new Map<string, Promise<Value>>();

  constructor(maxValues: number) {
    this.#values = new LRUCache({ max: maxValues });
  }

  /** Hot. */
  find(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** Callers that come together share one read. What fails is not kept. */
  load(key: string, read: () => Promise<Value>): Promise<Value> {
    const known = this.#loads.get(key);
    if (known !== undefined) return known;
    const load: Promise<Value> = read().then(
      (value) => {
        // Dropped while it was read: it serves those who asked before that, and is not kept.
        if (this.#forget(key, load)) this.#values.set(key, value);
        return value;
      },
      (cause: unknown) => {
        this.#forget(key, load);
        throw cause;
      },
    );
    this.#loads.set(key, load);
    return load;
  }

  /** The value changed or is gone. */
  drop(key: string): void {
    this.#values.delete(key);
    this.#loads.delete(key);
  }

  /** Every value may have changed. */
  dropAll(): void {
    this.#values.clear();
    this.#loads.clear();
  }

  /** False where the load is no longer the key's. */
  #forget(key: string, load: Promise<Value>): boolean {
    if (this.#loads.get(key) !== load) return false;
    return this.#loads.delete(key);
  }
}

import { LRUCache } from 'lru-cache';
import type { Binding } from './binding.ts';

const MAX_BINDINGS = 100_000;

/** Which workers serve which target; the door to lru-cache. The least recently used ones give way first. */
export class BindingTable {
  readonly #bindings: LRUCache<string, Binding>;
  /** Dropped ones that still hold workers, because their last calls run. */
  readonly #leaving = new Set<Binding>();

  /** `onDropped` gives the workers of a dropped binding back, and calls `forget` when that is done. */
  constructor(onDropped: (binding: Binding) => void, maxBindings = MAX_BINDINGS) {
    const dispose = (binding: Binding) => {
      this.#leaving.add(binding);
      onDropped(binding);
    };
    this.#bindings = new LRUCache({ max: maxBindings, dispose, noDisposeOnSet: true });
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** Hot: one look-up, no allocation; the binding counts as just used. */
  find(targetKey: string): Binding | undefined {
    return this.#bindings.get(targetKey);
  }

  add(binding: Binding): Binding {
    this.#bindings.set(binding.target.key, binding);
    return binding;
  }

  drop(binding: Binding): void {
    if (this.#bindings.peek(binding.target.key) === binding) this.#bindings.delete(binding.target.key);
  }

  /** A dropped binding has no worker left. */
  forget(binding: Binding): void {
    this.#leaving.delete(binding);
  }

  /** With those that were dropped and still hold workers. */
  *all(): IterableIterator<Binding> {
    yield* this.#leaving;
    yield* this.oldestFirst();
  }

  /** From the least to the most recently used. */
  *oldestFirst(): IterableIterator<Binding> {
    for (const binding of this.#bindings.rvalues()) if (binding !== undefined) yield binding;
  }

  dump(): object {
    return [...this.#bindings.values()].map((binding) => binding.dump());
  }
}

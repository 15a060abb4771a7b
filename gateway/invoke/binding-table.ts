import { LRUCache } from 'lru-cache';
import type { Binding } from './binding.ts';

const MAX_BINDINGS = 100_000;

/** Which workers serve which target; the door to lru-cache. The least recently used ones give way first. */
export class BindingTable {
  readonly #bindings: LRUCache<string, Binding>;

  /** `onDropped` gives the workers of a dropped binding back. */
  constructor(onDropped: (binding: Binding) => void, maxBindings = MAX_BINDINGS) {
    this.#bindings = new LRUCache({ max: maxBindings, dispose: (binding) => onDropped(binding), noDisposeOnSet: true });
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** Hot: one look-up, no allocation; the binding counts as just used. */
  find(targetKey: string): Binding | undefined {
    return this.#bindings.get(targetKey);
  }

  add(binding: Binding): void {
    this.#bindings.set(binding.target.key, binding);
  }

  drop(binding: Binding): void {
    if (this.#bindings.peek(binding.target.key) === binding) this.#bindings.delete(binding.target.key);
  }

  /** From the least to the most recently used. */
  *oldestFirst(): IterableIterator<Binding> {
    for (const binding of this.#bindings.rvalues()) if (binding !== undefined) yield binding;
  }

  dump(): object {
    return [...this.#bindings.values()].map((binding) => binding.dump());
  }
}

import { LRUCache } from 'lru-cache';
import type { QinlingError } from '../errors.ts';
import type { FunctionRecord } from '../store/store.ts';
import type { Target } from './target.ts';

const MAX_TARGETS = 100_000;

/** Functions to what they run, in memory, so that a warm call asks no database; dropped when a function changes. */
export class Targets {
  readonly #targets = new LRUCache<string, Target>({ max: MAX_TARGETS });
  readonly #loads = new Map<string, Promise<Target>>();
  readonly #load: (functionId: string) => Promise<FunctionRecord>;
  readonly #toTarget: (record: FunctionRecord) => Target;

  readonly #whyNotRunnable: (target: Target) => QinlingError | undefined;

  /**
   * `load` reads the record and rejects with NOT_FOUND; `toTarget` throws the 4xx that says why a function can never
   * run; `whyNotRunnable` says why a target cannot run now (its runtime is being upgraded, say).
   */
  constructor(
    load: (functionId: string) => Promise<FunctionRecord>,
    toTarget: (record: FunctionRecord) => Target,
    whyNotRunnable: (target: Target) => QinlingError | undefined,
  ) {
    this.#load = load;
    this.#toTarget = toTarget;
    this.#whyNotRunnable = whyNotRunnable;
  }

  /** Hot. */
  whyNotRunnable(target: Target): QinlingError | undefined {
    return this.#whyNotRunnable(target);
  }

  /** Hot. The function's target if it is in memory. */
  find(functionId: string): Target | undefined {
    return this.#targets.get(functionId);
  }

  /** The function's target; callers that come together share one look-up. */
  load(functionId: string): Promise<Target> {
    let load = this.#loads.get(functionId);
    if (load === undefined) {
      load = this.#read(functionId).finally(() => {
        if (this.#loads.get(functionId) === load) this.#loads.delete(functionId);
      });
      this.#loads.set(functionId, load);
    }
    return load;
  }

  /** The function changed or is gone. */
  drop(functionId: string): void {
    this.#targets.delete(functionId);
    this.#loads.delete(functionId);
  }

  async #read(functionId: string): Promise<Target> {
    const target = this.#toTarget(await this.#load(functionId));
    // A change that came while the record was read dropped this load: its answer serves its callers but is not kept.
    if (this.#loads.has(functionId)) this.#targets.set(functionId, target);
    return target;
  }
}

import type { QinlingError } from '../errors.ts';
import { LoadedValues } from './loaded-values.ts';
import type { Target } from './target.ts';

const MAX_TARGETS = 100_000;

/** Where targets come from. */
export interface TargetSource {
  /** Rejects with the 4xx that says why there is no such target, or why it can never run. */
  read(functionId: string, version: number): Promise<Target>;
  /** Hot. Why a target cannot run now (its runtime is being upgraded, say). */
  whyNotRunnable(target: Target): QinlingError | undefined;
}

/**
 * What functions and their versions run, in memory, so that a warm call asks no database. Dropped when this process
 * changes them; what other processes change is seen when they are all dropped, a second later at most (ChangeWatch).
 */
export class Targets {
  readonly #targets = new LoadedValues<Target>(MAX_TARGETS);
  readonly #source: TargetSource;

  constructor(source: TargetSource) {
    this.#source = source;
  }

  /** Hot. */
  whyNotRunnable(target: Target): QinlingError | undefined {
    return this.#source.whyNotRunnable(target);
  }

  /** Hot. The target if it is in memory. Version 0 is the function as it is. */
  find(functionId: string, version: number): Target | undefined {
    return this.#targets.find(keyOf(functionId, version));
  }

  /** The target; callers that come together share one look-up. */
  load(functionId: string, version: number): Promise<Target> {
    return this.#targets.load(keyOf(functionId, version), () => this.#source.read(functionId, version));
  }

  /** What the version runs has changed, or is gone. */
  drop(functionId: string, version: number): void {
    this.#targets.drop(keyOf(functionId, version));
  }

  dropAll(): void {
    this.#targets.dropAll();
  }
}

/** Hot: most calls are of version 0, whose key is there already. */
function keyOf(functionId: string, version: number): string {
  return version === 0 ? functionId : `${functionId}/${version}`;
}

import type { Access } from '../auth/access.ts';
import { invalidInput } from '../errors.ts';
import type { Targets } from '../invoke/targets.ts';
import type { Workers } from '../invoke/workers.ts';
import type { FunctionCommons } from './function-commons.ts';
import { checkVersion } from './versions.ts';

/** A worker that holds a function's version. */
export interface FunctionWorker {
  readonly functionId: string;
  readonly functionVersion: number;
  readonly workerName: string;
}

/**
 * The workers of functions by hand; version 0 is the function as it is. All methods but `workers` throw NOT_FOUND for a
 * function or version that is not there.
 */
export class Scaling {
  readonly #commons: FunctionCommons;
  readonly #targets: Targets;
  readonly #workers: Workers;

  constructor(commons: FunctionCommons, targets: Targets, workers: Workers) {
    this.#commons = commons;
    this.#targets = targets;
    this.#workers = workers;
  }

  /** By their names; none for a function that is not there. */
  async workers(access: Access, functionId: string, functionVersion: number): Promise<FunctionWorker[]> {
    if ((await this.#commons.store.functions.get(functionId, access.scope)) === undefined) return [];
    const names = this.#workers.namesOf(functionId, functionVersion).sort();
    return names.map((workerName) => ({ functionId, functionVersion, workerName }));
  }

  /**
   * So many more workers begin to load the version, as far as there are free ones; the next calls find them. In the
   * function's turn, so that they load what it is now. Throws CONFLICT while the runtime is not available.
   */
  scaleUp(access: Access, functionId: string, version: number, count: number): Promise<void> {
    return this.#commons.turns.run(functionId, async () => {
      await checkVersion(this.#commons.store, access, functionId, version);
      const target = this.#targets.find(functionId, version) ?? (await this.#targets.load(functionId, version));
      const isRefused = this.#targets.whyNotRunnable(target);
      if (isRefused !== undefined) throw isRefused;
      if (target.image !== null) throw invalidInput('An image function has no workers.');
      this.#workers.add(target, count);
    });
  }

  /** So many workers are given back, running calls end first; one stays. */
  async scaleDown(access: Access, functionId: string, version: number, count: number): Promise<void> {
    await checkVersion(this.#commons.store, access, functionId, version);
    this.#workers.remove(functionId, version, count);
  }

  /** Every worker is given back, running calls end first. */
  async detach(access: Access, functionId: string, version: number): Promise<void> {
    await checkVersion(this.#commons.store, access, functionId, version);
    this.#workers.detach(functionId, version);
  }
}

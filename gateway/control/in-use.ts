import { QinlingError } from '../errors.ts';
import type { AliasStore } from '../store/store.ts';

/** A kind of records that name functions, their versions or aliases, and hold fast what they name. */
export interface Holder {
  /** How messages call it where it holds a function, a version, an alias. */
  readonly ofFunction: string;
  readonly ofVersion: string;
  readonly ofAlias: string;
  /** True if it also holds the function's code, entry and limits as they are. */
  readonly holdsCode: boolean;
  hasFunction(functionId: string): Promise<boolean>;
  hasVersion(functionId: string, versionNumber: number): Promise<boolean>;
  hasAlias(projectId: string, name: string): Promise<boolean>;
}

/** What keeps functions, versions and aliases from being changed or deleted: holders are asked in order, the first tells. */
export class InUse {
  readonly #holders: readonly Holder[];

  constructor(holders: readonly Holder[]) {
    this.#holders = holders;
  }

  /** Throws IN_USE where code, entry or limits of the function must stay as they are. */
  async refuseCodeChange(functionId: string): Promise<void> {
    for (const holder of this.#holders) {
      if (holder.holdsCode && (await holder.hasFunction(functionId))) throw inUse('function', holder.ofFunction);
    }
  }

  async refuseFunctionDelete(functionId: string): Promise<void> {
    for (const holder of this.#holders) {
      if (await holder.hasFunction(functionId)) throw inUse('function', holder.ofFunction);
    }
  }

  async refuseVersionDelete(functionId: string, versionNumber: number): Promise<void> {
    for (const holder of this.#holders) {
      if (await holder.hasVersion(functionId, versionNumber)) throw inUse('function version', holder.ofVersion);
    }
  }

  async refuseAliasDelete(projectId: string, name: string): Promise<void> {
    for (const holder of this.#holders) {
      if (await holder.hasAlias(projectId, name)) throw inUse('function alias', holder.ofAlias);
    }
  }
}

/** Aliases of every project hold what they point at. */
export function aliasHolder(aliases: AliasStore): Holder {
  return {
    ofFunction: 'function alias(es)',
    ofVersion: 'alias',
    ofAlias: 'alias',
    holdsCode: false,
    hasFunction: (functionId) => aliases.hasFunction(functionId),
    hasVersion: (functionId, versionNumber) => aliases.hasVersion(functionId, versionNumber),
    hasAlias: () => Promise.resolve(false), // they point at functions only
  };
}

function inUse(what: string, holder: string): QinlingError {
  return new QinlingError('IN_USE', `The ${what} is still associated with ${holder}.`);
}

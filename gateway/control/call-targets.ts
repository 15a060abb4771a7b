import { isInScope, type Access } from '../auth/access.ts';
import { invalidInput } from '../errors.ts';
import type { AliasTargets } from '../invoke/alias-targets.ts';
import type { Target } from '../invoke/target.ts';
import type { Targets } from '../invoke/targets.ts';
import type { FunctionStore } from '../store/store.ts';
import { functionNotFound } from './functions.ts';

/** What a caller says is to run: an alias of the own project, which goes first, or a function's version. */
export interface Named {
  readonly functionAlias?: string | undefined;
  readonly functionId?: string | undefined;
  readonly functionVersion: number;
}

/** From what a caller names to what runs, without a wait where it was called before. */
export class CallTargets {
  readonly #targets: Targets;
  readonly #aliases: AliasTargets;
  readonly #functions: FunctionStore;

  constructor(targets: Targets, aliases: AliasTargets, functions: FunctionStore) {
    this.#targets = targets;
    this.#aliases = aliases;
    this.#functions = functions;
  }

  /** Hot. The target if it is in memory, and the caller's to run. */
  find(access: Access, named: Named): Target | undefined {
    const target = this.#find(access, named);
    return target !== undefined && isInScope(access, target.projectId) ? target : undefined;
  }

  /**
   * The target. Rejects with NOT_FOUND for an alias, function or version that is not there or not the caller's, and with
   * the 4xx that says why it can never run.
   */
  async load(access: Access, { functionAlias, functionId, functionVersion }: Named): Promise<Target> {
    if (functionAlias !== undefined) {
      const alias = await this.#aliases.load(access.projectId, functionAlias);
      return this.#load(access, alias.functionId, alias.version);
    }
    if (functionId === undefined) throw invalidInput('Either function_alias or function_id must be provided.');
    return this.#load(access, functionId, functionVersion);
  }

  #find({ projectId }: Access, { functionAlias, functionId, functionVersion }: Named): Target | undefined {
    if (functionAlias !== undefined) {
      const alias = this.#aliases.find(projectId, functionAlias);
      return alias && this.#targets.find(alias.functionId, alias.version);
    }
    return functionId === undefined ? undefined : this.#targets.find(functionId, functionVersion);
  }

  async #load(access: Access, functionId: string, version: number): Promise<Target> {
    try {
      const target = await this.#targets.load(functionId, version);
      if (isInScope(access, target.projectId)) return target;
    } catch (error) {
      // what is wrong with another project's function is nobody else's business
      if ((await this.#functions.get(functionId, access.scope)) !== undefined) throw error;
    }
    throw functionNotFound(functionId);
  }
}

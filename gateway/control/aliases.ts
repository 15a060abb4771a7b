import { randomUUID } from 'node:crypto';
import type { Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { AliasTarget } from '../invoke/alias-targets.ts';
import { AliasConflict, type AliasChange, type AliasRecord, type Chunks } from '../store/store.ts';
import type { FunctionCommons } from './function-commons.ts';
import { listRecords, type ListRequest } from './lists.ts';
import { checkVersion } from './versions.ts';

export interface NewAlias {
  readonly name: string;
  readonly functionId: string;
  readonly functionVersion: number;
  readonly description: string | null;
}

/** What is undefined stays as it is. */
export type NewAliasTarget = { readonly [K in keyof AliasChange]: AliasChange[K] | undefined };

const DUPLICATES = {
  [AliasConflict.Name]: `['project_id', 'name']`,
  [AliasConflict.Target]: `['project_id', 'function_id', 'function_version']`,
} as const;

/**
 * Names for functions and their versions, each within its project. What an alias points at is looked at, and the alias
 * written, in the function's turn: nothing is deleted in between.
 */
export class Aliases {
  readonly #commons: FunctionCommons;
  readonly #onMoved: (projectId: string, name: string) => void;

  /** `onMoved`: the alias points elsewhere now, or is gone. */
  constructor(commons: FunctionCommons, onMoved: (projectId: string, name: string) => void) {
    this.#commons = commons;
    this.#onMoved = onMoved;
  }

  /** Throws NOT_FOUND for a function or version that the caller does not see; INVALID_INPUT for a duplicate. */
  create(access: Access, request: NewAlias): Promise<AliasRecord> {
    const { functionId, functionVersion } = request;
    return this.#commons.turns.run(functionId, async () => {
      await checkVersion(this.#commons.store, access, functionId, functionVersion);
      const { projectId } = access;
      const record = { id: randomUUID(), projectId, ...request, createdAt: Date.now(), updatedAt: null };
      const conflict = await this.#commons.store.aliases.insert(record);
      if (conflict !== undefined) throw duplicate(conflict);
      return record;
    });
  }

  /** The aliases in scope that the filters let through, oldest first. */
  list(access: Access, request: ListRequest): Chunks<AliasRecord> {
    return listRecords(this.#commons.store.aliases, access.scope, request);
  }

  /**
   * The alias of that name: the own project's, else, for who sees every project, the only one that there is. Throws
   * NOT_FOUND, and CONFLICT where it cannot be known which one is meant.
   */
  async get({ scope, projectId }: Access, name: string): Promise<AliasRecord> {
    const { aliases } = this.#commons.store;
    const record = await aliases.getNamed(scope ?? projectId, name);
    if (record !== undefined) return record;
    const [found, other] = scope === null ? await aliases.listNamed(name, 2) : [];
    if (other !== undefined) throw new QinlingError('CONFLICT', `Several projects have a FunctionAlias [name=${name}]`);
    if (found === undefined) throw aliasNotFound(name);
    return found;
  }

  /** For the road of a call: of that project only, whoever asks. Throws NOT_FOUND. */
  async read(projectId: string, name: string): Promise<AliasTarget> {
    const record = await this.#commons.store.aliases.getNamed(projectId, name);
    if (record === undefined) throw aliasNotFound(name);
    return { functionId: record.functionId, version: record.functionVersion };
  }

  /** Throws as `create` does. */
  async update(access: Access, name: string, change: NewAliasTarget): Promise<AliasRecord> {
    const record = await this.get(access, name);
    const { functionId = record.functionId, functionVersion = record.functionVersion } = change;
    const { description = record.description } = change;
    return this.#commons.turns.run(functionId, async () => {
      const isMoved = change.functionId !== undefined || change.functionVersion !== undefined;
      if (isMoved) await checkVersion(this.#commons.store, access, functionId, functionVersion);
      else if (change.description === undefined) return record;
      // both halves of the target together, as they were looked at
      const written = isMoved ? { functionId, functionVersion, description } : { description };
      const changed = await this.#commons.store.aliases.update(record.id, written);
      if (changed === undefined) throw aliasNotFound(name);
      if (typeof changed === 'string') throw duplicate(changed);
      this.#onMoved(changed.projectId, name);
      return changed;
    });
  }

  /** Throws NOT_FOUND, CONFLICT, IN_USE. */
  async delete(access: Access, name: string): Promise<void> {
    const { id, projectId, functionId } = await this.get(access, name);
    await this.#commons.turns.run(functionId, async () => {
      await this.#commons.inUse.refuseAliasDelete(projectId, name);
      await this.#commons.store.aliases.delete(id);
      this.#onMoved(projectId, name);
    });
  }
}

export function aliasNotFound(name: string): QinlingError {
  return notFound(`FunctionAlias not found [name=${name}]`);
}

function duplicate(conflict: AliasConflict): QinlingError {
  return invalidInput(`Duplicate entry for function_aliases: ${DUPLICATES[conflict]}`);
}

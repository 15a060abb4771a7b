import type { Access } from '../auth/access.ts';
import { invalidInput } from '../errors.ts';
import { aliasNotFound } from './aliases.ts';
import type { FunctionCommons } from './function-commons.ts';
import { functionNotFound } from './functions.ts';
import { checkVersion } from './versions.ts';

/** How callers say what a job or a webhook runs; an alias, of the own project, goes before an id. */
export interface RunName {
  readonly functionId?: string | undefined;
  readonly functionVersion?: number | undefined;
  readonly functionAlias?: string | undefined;
}

/** What a name means at this moment. */
export interface NamedRun {
  readonly functionId: string;
  readonly functionVersion: number;
  /** Of the function. */
  readonly projectId: string;
}

/** Looks up what jobs and webhooks name. */
export class RunNames {
  readonly #commons: Pick<FunctionCommons, 'store' | 'turns'>;

  constructor(commons: Pick<FunctionCommons, 'store' | 'turns'>) {
    this.#commons = commons;
  }

  /** Throws INVALID_INPUT where nothing is named, NOT_FOUND for what is not there or not in scope. */
  async resolve(access: Access, name: RunName): Promise<NamedRun> {
    const { store } = this.#commons;
    const { functionId, functionVersion } = await this.#follow(access, name);
    await checkVersion(store, access, functionId, functionVersion);
    const record = await store.functions.get(functionId, access.scope);
    if (record === undefined) throw functionNotFound(functionId);
    return { functionId, functionVersion, projectId: record.projectId };
  }

  /** Does `write`, which names it in a record, while what is named is there: it is not deleted in between. */
  async hold<T>(access: Access, name: RunName, write: () => Promise<T>): Promise<T> {
    const { functionId } = await this.#follow(access, name);
    return this.#commons.turns.run(functionId, async () => {
      await this.resolve(access, name);
      return write();
    });
  }

  async #follow({ projectId }: Access, name: RunName): Promise<Pick<NamedRun, 'functionId' | 'functionVersion'>> {
    const { functionAlias, functionId, functionVersion = 0 } = name;
    if (functionAlias !== undefined) {
      const alias = await this.#commons.store.aliases.getNamed(projectId, functionAlias);
      if (alias === undefined) throw aliasNotFound(functionAlias);
      return alias;
    }
    if (functionId === undefined) throw invalidInput('Either function_alias or function_id must be provided.');
    return { functionId, functionVersion };
  }
}

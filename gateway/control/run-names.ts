import type { Access } from '../auth/access.ts';
import { invalidInput, notFound } from '../errors.ts';
import type { FunctionStore } from '../store/store.ts';
import { functionNotFound } from './functions.ts';

/** How callers say what a job or a webhook runs; an alias goes before an id. */
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
  readonly #functions: FunctionStore;

  constructor(functions: FunctionStore) {
    this.#functions = functions;
  }

  /** Throws INVALID_INPUT where nothing is named, NOT_FOUND for what is not there or not in scope. */
  async resolve(access: Access, name: RunName): Promise<NamedRun> {
    const { functionId, functionVersion = 0, functionAlias } = name;
    if (functionAlias !== undefined) throw notFound(`FunctionAlias not found [name=${functionAlias}]`);
    if (functionId === undefined) throw invalidInput('Either function_alias or function_id must be provided.');
    const record = await this.#functions.get(functionId, access.scope);
    if (record === undefined) throw functionNotFound(functionId);
    if (functionVersion > 0) {
      throw notFound(`FunctionVersion not found [function_id=${functionId}, version_number=${functionVersion}]`);
    }
    return { functionId, functionVersion, projectId: record.projectId };
  }
}

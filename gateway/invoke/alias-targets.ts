import { LoadedValues } from './loaded-values.ts';

const MAX_ALIASES = 100_000;

/** What an alias points at. */
export interface AliasTarget {
  readonly functionId: string;
  readonly version: number;
}

/** Reads an alias of a project; rejects with NOT_FOUND. */
export type ReadAlias = (projectId: string, name: string) => Promise<AliasTarget>;

/** Where aliases point, in memory, so that a warm call by alias asks no database. Dropped as `Targets` are. */
export class AliasTargets {
  readonly #aliases = new LoadedValues<AliasTarget>(MAX_ALIASES);
  readonly #read: ReadAlias;

  constructor(read: ReadAlias) {
    this.#read = read;
  }

  /** Hot. */
  find(projectId: string, name: string): AliasTarget | undefined {
    return this.#aliases.find(keyOf(projectId, name));
  }

  load(projectId: string, name: string): Promise<AliasTarget> {
    return this.#aliases.load(keyOf(projectId, name), () => this.#read(projectId, name));
  }

  /** The alias was moved, or is gone. */
  drop(projectId: string, name: string): void {
    this.#aliases.drop(keyOf(projectId, name));
  }

  dropAll(): void {
    this.#aliases.dropAll();
  }
}

/** Names of aliases hold no slash: no two pairs have one key. */
function keyOf(projectId: string, name: string): string {
  return `${projectId}/${name}`;
}

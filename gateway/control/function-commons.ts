import type { Store } from '../store/store.ts';
import type { FunctionPackages } from './function-packages.ts';
import type { InUse } from './in-use.ts';
import type { Turns } from './turns.ts';

/** What functions, their versions and the aliases to them share. */
export interface FunctionCommons {
  readonly store: Store;
  readonly packages: FunctionPackages;
  /** By a function's id: changes of it, of its versions and of what points at it. */
  readonly turns: Turns;
  readonly inUse: InUse;
  /** A version (0: the function as it is) runs something else now, perhaps with workers that are out of date, or is gone. */
  readonly onChange: (functionId: string, version: number, needsFreshWorkers: boolean) => void;
}

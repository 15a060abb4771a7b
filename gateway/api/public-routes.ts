import type { Executions } from '../control/executions.ts';
import type { Functions } from '../control/functions.ts';
import type { Runtimes } from '../control/runtimes.ts';
import type { ApiFacts } from './description/openapi.ts';
import { withDescription } from './description/route.ts';
import { executionRoutes } from './executions.ts';
import { functionRoutes } from './functions.ts';
import type { Operation } from './operation.ts';
import { runtimeRoutes } from './runtimes.ts';
import { versionRoutes } from './version-documents.ts';

/** What the routes call. */
export interface ApiServices {
  readonly runtimes: Runtimes;
  readonly functions: Functions;
  readonly executions: Executions;
}

/** Every route of the public API. The services are not touched until a request comes. */
export function publicRoutes({ runtimes, functions, executions }: ApiServices, facts: ApiFacts): Operation[] {
  const operations = [
    ...versionRoutes(),
    ...runtimeRoutes(runtimes),
    ...functionRoutes(functions),
    ...executionRoutes(executions),
  ];
  return withDescription(operations, facts);
}

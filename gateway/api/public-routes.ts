import type { Aliases } from '../control/aliases.ts';
import type { Executions } from '../control/executions.ts';
import type { Functions } from '../control/functions.ts';
import type { Jobs } from '../control/jobs.ts';
import type { Runtimes } from '../control/runtimes.ts';
import type { Scaling } from '../control/scaling.ts';
import type { Versions } from '../control/versions.ts';
import type { Webhooks } from '../control/webhooks.ts';
import { aliasRoutes } from './aliases.ts';
import type { ApiFacts } from './description/openapi.ts';
import { withDescription } from './description/route.ts';
import { executionRoutes } from './executions.ts';
import { functionRoutes } from './functions.ts';
import { jobRoutes } from './jobs.ts';
import type { Operation } from './operation.ts';
import { runtimeRoutes } from './runtimes.ts';
import { versionRoutes } from './version-documents.ts';
import { functionVersionRoutes } from './versions.ts';
import { webhookRoutes } from './webhooks.ts';
import { workerRoutes } from './workers.ts';

/** What the routes call. */
export interface ApiServices {
  readonly runtimes: Runtimes;
  readonly functions: Functions;
  readonly versions: Versions;
  readonly scaling: Scaling;
  readonly aliases: Aliases;
  readonly executions: Executions;
  readonly jobs: Jobs;
  readonly webhooks: Webhooks;
  /** Where outsiders reach the API; empty: as whoever asks does. */
  readonly publicEndpoint: string;
}

/** Every route of the public API. The services are not touched until a request comes. */
export function publicRoutes(services: ApiServices, facts: ApiFacts): Operation[] {
  const operations = [
    ...versionRoutes(),
    ...runtimeRoutes(services.runtimes),
    ...functionRoutes(services.functions),
    ...functionVersionRoutes(services.versions),
    ...workerRoutes(services.scaling),
    ...aliasRoutes(services.aliases),
    ...executionRoutes(services.executions),
    ...jobRoutes(services.jobs),
    ...webhookRoutes(services.webhooks, services.publicEndpoint),
  ];
  return withDescription(operations, facts);
}

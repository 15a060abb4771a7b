import type { Executions } from '../control/executions.ts';
import type { Functions } from '../control/functions.ts';
import type { Jobs } from '../control/jobs.ts';
import type { Runtimes } from '../control/runtimes.ts';
import type { Webhooks } from '../control/webhooks.ts';
import type { ApiFacts } from './description/openapi.ts';
import { withDescription } from './description/route.ts';
import { executionRoutes } from './executions.ts';
import { functionRoutes } from './functions.ts';
import { jobRoutes } from './jobs.ts';
import type { Operation } from './operation.ts';
import { runtimeRoutes } from './runtimes.ts';
import { versionRoutes } from './version-documents.ts';
import { webhookRoutes } from './webhooks.ts';

/** What the routes call. */
export interface ApiServices {
  readonly runtimes: Runtimes;
  readonly functions: Functions;
  readonly executions: Executions;
  readonly jobs: Jobs;
  readonly webhooks: Webhooks;
  /** Where outsiders reach the API; empty: as whoever asks does. */
  readonly publicEndpoint: string;
}

/** Every route of the public API. The services are not touched until a request comes. */
export function publicRoutes(services: ApiServices, facts: ApiFacts): Operation[] {
  const { runtimes, functions, executions, jobs, webhooks, publicEndpoint } = services;
  const operations = [
    ...versionRoutes(),
    ...runtimeRoutes(runtimes),
    ...functionRoutes(functions),
    ...executionRoutes(executions),
    ...jobRoutes(jobs),
    ...webhookRoutes(webhooks, publicEndpoint),
  ];
  return withDescription(operations, facts);
}

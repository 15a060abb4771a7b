import { functionRoutes } from '../../gateway/api/functions.ts';
import { jobRoutes } from '../../gateway/api/jobs.ts';
import { webhookRoutes } from '../../gateway/api/webhooks.ts';
import { Jobs, jobHolder } from '../../gateway/control/jobs.ts';
import { RunNames } from '../../gateway/control/run-names.ts';
import type { TokenBucketsOptions } from '../../gateway/control/token-buckets.ts';
import { Webhooks, webhookHolder } from '../../gateway/control/webhooks.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeExecutions } from './fake-executions.ts';
import { openFunctionsRig } from './functions-rig.ts';
import { serveRoutes } from './resource-server.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

/** A Thursday. */
export const NOW_MS = Date.UTC(2026, 0, 15, 10, 20, 30);

export interface TriggerServerOptions {
  readonly publicEndpoint?: string;
  readonly rateLimit?: TokenBucketsOptions;
}

/** The routes of jobs and webhooks, with those of functions, at a time that stands still; no timer and no workers. */
export async function startTriggerServer(cleaner: Cleaner, options: TriggerServerOptions = {}) {
  const rig = await openFunctionsRig(cleaner);
  const executions = new FakeExecutions();
  const names = new RunNames(rig.commons);
  rig.holders.unshift(jobHolder(rig.store.jobs), webhookHolder(rig.store.webhooks));
  const jobs = new Jobs(rig.store.jobs, names, { clock: new FakeClock(NOW_MS), onChange: () => undefined });
  const rateLimit = options.rateLimit ?? { perSecond: 0, burst: 1 };
  const webhooks = new Webhooks(rig.store.webhooks, names, executions, rateLimit);
  const routes = [
    ...functionRoutes(rig.functions),
    ...jobRoutes(jobs),
    ...webhookRoutes(webhooks, options.publicEndpoint ?? ''),
  ];
  const { id: functionId } = await rig.create();
  return { ...rig, ...(await serveRoutes(cleaner, rig.folder, routes)), executions, functionId };
}

import { describe, type TestContext } from 'node:test';
import type { Store } from '../../gateway/store/store.ts';
import { attemptPromises } from './store-attempts.ts';
import { aliasPromises } from './store-aliases.ts';
import { executionPromises } from './store-executions.ts';
import { filterPromises } from './store-filters.ts';
import { functionPromises } from './store-functions.ts';
import { gatewayPromises } from './store-gateways.ts';
import { jobPromises } from './store-jobs.ts';
import { keyPromises } from './store-keys.ts';
import { pagingPromises } from './store-paging.ts';
import { prunePromises } from './store-prune.ts';
import { runtimePromises } from './store-runtimes.ts';
import { sharedPromises } from './store-shared.ts';
import { versionPromises } from './store-versions.ts';
import { webhookPromises } from './store-webhooks.ts';
import { writePromises } from './store-writes.ts';

/** Opens an empty store that is closed, and gone, when the test is over. */
export type OpenStore = (t: TestContext) => Promise<Store>;

/** Opens stores of several gateways on the same records. */
export type OpenShared = (t: TestContext) => (gatewayId: string) => Promise<Store>;

/** What `gateway/store/store.ts` promises of every driver. */
export function storeContract(name: string, open: OpenStore, openShared: OpenShared): void {
  describe(`store contract: ${name}`, () => {
    runtimePromises(open);
    functionPromises(open);
    versionPromises(open);
    aliasPromises(open);
    executionPromises(open);
    attemptPromises(open);
    keyPromises(open);
    writePromises(open);
    pagingPromises(open);
    filterPromises(open);
    prunePromises(open);
    jobPromises(open);
    webhookPromises(open);
    gatewayPromises(openShared);
    sharedPromises(openShared);
  });
}

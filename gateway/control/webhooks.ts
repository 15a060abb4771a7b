import { randomUUID } from 'node:crypto';
import { ownOnly, serviceIn, type Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { Chunks } from '../store/store.ts';
import type { WebhookRecord, WebhookStore } from '../store/webhook-store.ts';
import type { Executions } from './executions.ts';
import type { Holder } from './in-use.ts';
import { listRecords, type ListRequest } from './lists.ts';
import type { RunName, RunNames } from './run-names.ts';
import { TokenBuckets, type TokenBucketsOptions } from './token-buckets.ts';

/** Undefined where it was not given. */
export interface WebhookRequest extends RunName {
  readonly description: string | undefined;
}

type Draft = Pick<WebhookRecord, 'functionId' | 'functionVersion' | 'functionAlias'>;

/** Public URLs that run functions. Who knows a URL may call it: its id is the secret. */
export class Webhooks {
  readonly #store: WebhookStore;
  readonly #names: RunNames;
  readonly #executions: Pick<Executions, 'create'>;
  readonly #buckets: TokenBuckets;

  constructor(
    store: WebhookStore,
    names: RunNames,
    executions: Pick<Executions, 'create'>,
    /** Of the calls of each webhook. */
    rateLimit: TokenBucketsOptions,
  ) {
    this.#store = store;
    this.#names = names;
    this.#executions = executions;
    this.#buckets = new TokenBuckets(rateLimit);
  }

  /** Throws INVALID_INPUT; NOT_FOUND for what is not the caller's own: nobody opens another project's function. */
  async create(access: Access, request: WebhookRequest): Promise<WebhookRecord> {
    const record: WebhookRecord = {
      id: randomUUID(), // all of its bits but the version's are random
      projectId: access.projectId,
      description: request.description ?? null,
      ...toDraft(request),
      createdAt: Date.now(),
      updatedAt: null,
    };
    await this.#names.hold(ownOnly(access), request, () => this.#store.insert(record));
    return record;
  }

  /** Throws NOT_FOUND, also for another project's webhook. */
  async get(access: Access, id: string): Promise<WebhookRecord> {
    const record = await this.#store.get(id, access.scope);
    if (record === undefined) throw webhookNotFound(id);
    return record;
  }

  /** The webhooks in scope that the filters let through, oldest first. Throws INVALID_INPUT for an unknown marker. */
  list(access: Access, request: ListRequest): Chunks<WebhookRecord> {
    return listRecords(this.#store, access.scope, request);
  }

  /** Throws NOT_FOUND, also for administrators of other projects; INVALID_INPUT. */
  async update(access: Access, id: string, request: WebhookRequest): Promise<WebhookRecord> {
    const own = ownOnly(access);
    const record = await this.get(own, id);
    const name = nameAfter(record, request);
    const change = {
      ...(name === undefined ? undefined : toDraft(name)),
      ...(request.description === undefined ? undefined : { description: request.description }),
    };
    if (Object.keys(change).length === 0) return record;
    const write = () => this.#store.update(id, change);
    const changed = await (name === undefined ? write() : this.#names.hold(own, name, write));
    if (changed === undefined) throw webhookNotFound(id);
    return changed;
  }

  /** Throws NOT_FOUND. */
  async delete(access: Access, id: string): Promise<void> {
    await this.get(access, id);
    await this.#store.delete(id);
  }

  /**
   * Has the function run later, in its own project; resolves with the execution's id. `readInput` is asked once it is
   * sure that the call is let through. Throws NOT_FOUND, TOO_MANY_REQUESTS, and what an execution is refused for.
   */
  async invoke(id: string, readInput: () => Promise<string> | string): Promise<string> {
    const record = await this.#store.get(id, null);
    if (record === undefined) throw webhookNotFound(id);
    const waitMs = this.#buckets.take(id, performance.now());
    if (waitMs > 0) {
      const retryAfterSeconds = Math.ceil(waitMs / 1000);
      throw new QinlingError('TOO_MANY_REQUESTS', 'The webhook is called too often.', { retryAfterSeconds });
    }
    const input = await readInput();
    const { functionId, functionVersion, projectId } = await this.#names.resolve(serviceIn(record.projectId), {
      functionId: record.functionId ?? undefined,
      functionVersion: record.functionVersion ?? undefined,
      functionAlias: record.functionAlias ?? undefined,
    });
    const description = `Created by Webhook ${id}`;
    const request = { functionId, functionVersion, input, isSync: false, description };
    return new Promise((resolve, reject) => {
      this.#executions.create(serviceIn(projectId), request, (error, call) =>
        call === undefined ? reject(error!) : resolve(call.record.id),
      );
    });
  }
}

function toDraft({ functionId, functionVersion = 0, functionAlias }: RunName): Draft {
  if (functionAlias !== undefined) return { functionId: null, functionVersion: null, functionAlias };
  return { functionId: functionId ?? null, functionVersion, functionAlias: null };
}

/** What the webhook runs after the change; undefined where that stays. */
function nameAfter(record: WebhookRecord, request: WebhookRequest): RunName | undefined {
  const { functionId, functionVersion, functionAlias } = request;
  if (functionAlias !== undefined) return { functionAlias };
  if (functionId === undefined && functionVersion === undefined) return undefined;
  if (functionId === undefined && record.functionId === null) {
    throw invalidInput('function_id must be provided with function_version.');
  }
  return {
    functionId: functionId ?? record.functionId!,
    functionVersion: functionVersion ?? record.functionVersion ?? 0,
  };
}

function webhookNotFound(id: string): QinlingError {
  return notFound(`Webhook not found [id=${id}]`);
}

/** Webhooks of every project hold what they run. */
export function webhookHolder(webhooks: WebhookStore): Holder {
  return {
    ofFunction: 'webhook(s)',
    ofVersion: 'webhook',
    ofAlias: 'webhook',
    holdsCode: false,
    hasFunction: (functionId) => webhooks.has({ functionId }),
    hasVersion: (functionId, functionVersion) => webhooks.has({ functionId, functionVersion }),
    hasAlias: (projectId, functionAlias) => webhooks.has({ projectId, functionAlias }),
  };
}

import { isInScope, type Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import { ExecutionIds } from '../execution-id.ts';
import type { Invoker } from '../invoke/invoker.ts';
import type { Target } from '../invoke/target.ts';
import type { Targets } from '../invoke/targets.ts';
import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import { ExecutionStatus, type Chunks, type ExecutionRecord, type ExecutionStore } from '../store/store.ts';
import { AsyncRuns } from './async-runs.ts';
import { renderLog } from './execution-log.ts';
import type { OnDone } from './finished-call.ts';
import { LeftExecutions, type LeftExecutionsOptions } from './left-executions.ts';
import { listRecords, type ListRequest } from './lists.ts';
import { OpenCalls } from './open-calls.ts';
import { SyncRuns, type SyncRunsOptions } from './sync-runs.ts';

export interface NewExecution {
  readonly functionId?: string | undefined;
  readonly functionAlias?: string | undefined;
  readonly functionVersion: number;
  /** JSON text of an object, or null. */
  readonly input: string | null;
  readonly isSync: boolean;
  readonly description: string | null;
}

export type ExecutionsOptions = SyncRunsOptions & LeftExecutionsOptions;

/** The record of each requested run, from its acceptance to its end. */
export class Executions {
  readonly #store: ExecutionStore;
  readonly #targets: Targets;
  readonly #ids = new ExecutionIds();
  readonly #openCalls = new OpenCalls();
  readonly #sync: SyncRuns;
  readonly #async: AsyncRuns;
  readonly #left: LeftExecutions;
  #isDraining = false;

  constructor(store: ExecutionStore, targets: Targets, options: ExecutionsOptions) {
    this.#store = store;
    this.#targets = targets;
    this.#sync = new SyncRuns(store, this.#openCalls, options);
    this.#async = new AsyncRuns(store, targets, this.#openCalls, options);
    this.#left = new LeftExecutions(store, options);
  }

  /** Takes up what an earlier process left: unstarted executions run, started ones are settled (or brought by agents). */
  async start(invoker: Invoker): Promise<void> {
    this.#sync.start(invoker);
    await this.#left.start();
    this.#async.start(invoker);
  }

  /** Hot. Runs a function once, or accepts its run; `onDone` is called exactly once, with one of its two arguments. */
  create(access: Access, request: NewExecution, onDone: OnDone): void {
    const { functionId } = request;
    if (functionId === undefined || request.functionVersion !== 0 || this.#isDraining) {
      return onDone(this.#refusal(request), undefined);
    }
    const target = this.#targets.find(functionId);
    if (target !== undefined) return this.#start(access, request, target, onDone);
    this.#targets.load(functionId).then(
      (loaded) => this.#start(access, request, loaded, onDone),
      (cause: unknown) => onDone(toQinlingError(cause), undefined),
    );
  }

  /** Throws NOT_FOUND for an unknown execution, and for one of another project. */
  async get(access: Access, id: string): Promise<ExecutionRecord> {
    const record = await this.#store.get(id, access.scope);
    if (record === undefined) throw executionNotFound(id);
    return record;
  }

  async log(access: Access, id: string): Promise<string> {
    const record = await this.get(access, id);
    return renderLog(record, (await this.#store.getLog(id)) ?? null);
  }

  /** The executions in scope that the filters let through, oldest first. */
  list(access: Access, request: ListRequest): Chunks<ExecutionRecord> {
    return listRecords(this.#store, access.scope, request);
  }

  /** The record goes; a run in flight is not stopped, its result is dropped. */
  async delete(access: Access, id: string): Promise<void> {
    await this.get(access, id);
    await this.#store.delete(id);
  }

  /** An agent brings an invocation that an earlier process of the gateway sent. */
  adoptCall(executionId: string, link: Link): PendingCall {
    return this.#left.adoptCall(executionId, link);
  }

  /** Takes no new work and resolves when all that was sent has ended, or the time is over. Unstarted ones stay recorded. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    this.#async.drain();
    await this.#openCalls.idle(timeoutMs);
  }

  close(): void {
    this.#sync.close();
  }

  #refusal(request: NewExecution): QinlingError {
    if (this.#isDraining) {
      return new QinlingError('SHUTTING_DOWN', 'The service is shutting down.', { retryAfterSeconds: 5 });
    }
    if (request.functionAlias !== undefined) return notFound(`FunctionAlias not found [name=${request.functionAlias}]`);
    const { functionId, functionVersion } = request;
    if (functionId === undefined) return invalidInput('Either function_alias or function_id must be provided.');
    return notFound(`FunctionVersion not found [function_id=${functionId}, version_number=${functionVersion}]`);
  }

  #start(access: Access, request: NewExecution, target: Target, onDone: OnDone): void {
    if (!isInScope(access, target.projectId)) return onDone(functionNotFound(target.functionId), undefined);
    const isRefused = this.#targets.whyNotRunnable(target);
    if (isRefused !== undefined) return onDone(isRefused, undefined);
    const nowMs = Date.now();
    const record: ExecutionRecord = {
      id: this.#ids.next(nowMs),
      projectId: access.projectId,
      functionId: target.functionId,
      functionVersion: target.version,
      functionAlias: null,
      description: request.description,
      status: ExecutionStatus.Running,
      isSync: request.isSync,
      input: request.input,
      output: null,
      durationSeconds: null,
      isStarted: request.isSync,
      createdAt: nowMs,
      updatedAt: null,
    };
    if (request.isSync) this.#sync.run(record, target, onDone);
    else this.#async.accept(record, onDone);
  }
}

function executionNotFound(id: string): QinlingError {
  return notFound(`Execution not found [id=${id}]`);
}

function functionNotFound(id: string): QinlingError {
  return notFound(`Function not found [id=${id}]`);
}

function toQinlingError(cause: unknown): QinlingError {
  if (cause instanceof QinlingError) return cause;
  return new QinlingError('INTERNAL', 'Internal service error.', { cause });
}

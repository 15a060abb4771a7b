import type { Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound, shuttingDown } from '../errors.ts';
import { ExecutionIds } from '../execution-id.ts';
import type { Target } from '../invoke/target.ts';
import type { Targets } from '../invoke/targets.ts';
import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import type { IdempotencyKey } from '../store/idempotency-key.ts';
import { ExecutionStatus, type Chunks, type ExecutionRecord, type ExecutionStore } from '../store/store.ts';
import { AsyncRuns } from './async-runs.ts';
import { firstAttempt } from './attempts.ts';
import { EndWatch } from './end-watch.ts';
import type { CallTargets, Named } from './call-targets.ts';
import { renderLog } from './execution-log.ts';
import { ExecutionWaiters } from './execution-waiters.ts';
import type { OnDone } from './finished-call.ts';
import { IdempotentCalls, KEY_LIFE_MS, toIdempotencyKey } from './idempotent-calls.ts';
import { LeftExecutions, type LeftExecutionsOptions } from './left-executions.ts';
import { listRecords, type ListRequest } from './lists.ts';
import { LogFollowers } from './log-followers.ts';
import { OpenCalls } from './open-calls.ts';
import { exitOutcome, lostOutcome } from './outcome.ts';
import type { Runner } from './runner.ts';
import { Settlement } from './settlement.ts';
import { SyncRuns, type SyncRunsOptions } from './sync-runs.ts';

export interface NewExecution extends Named {
  /** JSON text of an object, or null. */
  readonly input: string | null;
  readonly isSync: boolean;
  readonly description: string | null;
  /** For asynchronous ones: adds the record to the store, with what belongs to the same transaction. False: it did not. */
  readonly write?: (record: ExecutionRecord) => Promise<boolean>;
  /** Requests of a project with the same key get the same execution. */
  readonly idempotencyKey?: string | undefined;
}

export interface ExecutionsOptions extends SyncRunsOptions, LeftExecutionsOptions {
  /** Makes ids that no other gateway on the same store makes. */
  readonly ids?: ExecutionIds;
}

/** The record of each requested run, from its acceptance to its end. */
export class Executions {
  readonly #store: ExecutionStore;
  readonly #targets: Targets;
  readonly #callTargets: CallTargets;
  readonly #ids: ExecutionIds;
  readonly #openCalls = new OpenCalls();
  readonly #sync: SyncRuns;
  readonly #async: AsyncRuns;
  readonly #left: LeftExecutions;
  readonly #watch: EndWatch;
  readonly #waiters: ExecutionWaiters;
  readonly #followers: LogFollowers;
  readonly #idempotent: IdempotentCalls;
  readonly #onFault: ExecutionsOptions['onFault'];
  #isDraining = false;

  constructor(store: ExecutionStore, targets: Targets, callTargets: CallTargets, options: ExecutionsOptions) {
    this.#store = store;
    this.#targets = targets;
    this.#callTargets = callTargets;
    this.#ids = options.ids ?? new ExecutionIds();
    this.#onFault = options.onFault;
    this.#watch = new EndWatch(store, (cause) => options.onFault(cause, 'executions could not be read'));
    const settlement = new Settlement(store, this.#watch, (dueAt) => this.#async.expect(dueAt));
    this.#sync = new SyncRuns(store, this.#openCalls, this.#watch, options);
    this.#async = new AsyncRuns(store, targets, this.#openCalls, settlement, options);
    this.#left = new LeftExecutions(store, settlement, options);
    this.#waiters = new ExecutionWaiters(store, this.#watch);
    this.#followers = new LogFollowers(
      store,
      this.#watch,
      (id) => this.#sync.find(id) ?? this.#async.find(id) ?? this.#left.find(id),
    );
    this.#idempotent = new IdempotentCalls(store, this.#waiters, options.onFault);
  }

  /** Callers that wait for an end. */
  get waiterCount(): number {
    return this.#waiters.count;
  }

  /** Readers of logs of executions that run. */
  get followerCount(): number {
    return this.#followers.count;
  }

  /** Takes up what an earlier process left: unstarted executions run, started ones are settled (or brought by agents). */
  async start(runner: Runner): Promise<void> {
    this.#sync.start(runner);
    await this.#takeOverImages(runner);
    await this.#left.start();
    this.#async.start(runner);
  }

  /** Does what another gateway left that is gone: runs what was not started, settles what was. */
  async takeOver(gatewayId: string): Promise<void> {
    if (await this.#left.takeOver(gatewayId)) this.#async.takeMore();
  }

  /** Hot. Runs a function once, or accepts its run; `onDone` is called exactly once, with one of its two arguments. */
  create(access: Access, request: NewExecution, onDone: OnDone): void {
    if (request.idempotencyKey === undefined) return this.#create(access, request, undefined, onDone);
    if (this.#isDraining) return onDone(shuttingDown(), undefined);
    const key = toIdempotencyKey(request.idempotencyKey, request);
    const start = (onStarted: OnDone): void => this.#create(access, request, key, onStarted);
    this.#idempotent.create(access.projectId, key, onDone, start);
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

  /** The execution as soon as it is final, or as it is when the time is over, or the signal aborts. Throws NOT_FOUND. */
  async wait(access: Access, id: string, waitMs: number, signal: AbortSignal): Promise<ExecutionRecord> {
    const record = await this.get(access, id);
    if (record.status !== ExecutionStatus.Running || waitMs === 0) return record;
    await this.#waiters.wait(id, waitMs, signal);
    return this.get(access, id);
  }

  /** The log as it is printed, until the execution is final or the signal aborts. Throws NOT_FOUND at once. */
  async followLog(access: Access, id: string, signal: AbortSignal): Promise<AsyncIterable<string>> {
    await this.get(access, id);
    return this.#followers.follow(id, signal);
  }

  /**
   * Has a final, asynchronous execution that did not succeed run again, with as many attempts as it had at first. Its
   * result and log go, its attempts are counted on. Throws NOT_FOUND, INVALID_INPUT, CONFLICT.
   */
  async redrive(access: Access, id: string): Promise<ExecutionRecord> {
    if (this.#isDraining) throw shuttingDown();
    const record = await this.get(access, id);
    if (record.isSync) throw invalidInput('Only asynchronous executions can be run again.');
    const { functionId, functionVersion } = record;
    const found = this.#targets.find(functionId, functionVersion);
    const target = found ?? (await this.#targets.load(functionId, functionVersion));
    const isRefused = this.#targets.whyNotRunnable(target);
    if (isRefused !== undefined) throw isRefused;
    const redriven = isFailure(record) ? await this.#store.redrive(id, Date.now()) : undefined;
    if (redriven === undefined) {
      const { status } = await this.get(access, id);
      throw new QinlingError('CONFLICT', `Execution ${id} is ${status}; only one that failed can be run again.`);
    }
    this.#async.expect(Date.now());
    return redriven;
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
    this.#waiters.close();
    this.#followers.close();
    await this.#openCalls.idle(timeoutMs);
  }

  close(): void {
    this.#sync.close();
    this.#watch.close();
  }

  /** Never rejects: where containers cannot be looked for, functions that are no images still run. */
  async #takeOverImages(runner: Runner): Promise<void> {
    try {
      await runner.images?.takeOver(async (id) => {
        const tell = await this.#left.adopt(id);
        return tell && ((exit) => tell(exit === undefined ? lostOutcome() : exitOutcome(exit)));
      });
    } catch (cause) {
      this.#onFault(cause, 'the containers of an earlier process could not be looked for');
    }
  }

  #create(access: Access, request: NewExecution, key: IdempotencyKey | undefined, onDone: OnDone): void {
    if (this.#isDraining) return onDone(shuttingDown(), undefined);
    const target = this.#callTargets.find(access, request);
    if (target !== undefined) return this.#start(access, request, target, key, onDone);
    this.#callTargets.load(access, request).then(
      (loaded) => this.#start(access, request, loaded, key, onDone),
      (cause: unknown) => onDone(toQinlingError(cause), undefined),
    );
  }

  #start(access: Access, request: NewExecution, target: Target, key: IdempotencyKey | undefined, onDone: OnDone): void {
    const isRefused = this.#targets.whyNotRunnable(target);
    if (isRefused !== undefined) return onDone(isRefused, undefined);
    const nowMs = Date.now();
    const record: ExecutionRecord = {
      id: this.#ids.next(nowMs),
      projectId: access.projectId,
      functionId: target.functionId,
      functionVersion: target.version,
      functionAlias: request.functionAlias ?? null,
      description: request.description,
      status: ExecutionStatus.Running,
      isSync: request.isSync,
      input: request.input,
      output: null,
      durationSeconds: null,
      isStarted: request.isSync,
      attempts: request.isSync || target.retry === null ? null : firstAttempt(target.retry),
      createdAt: nowMs,
      updatedAt: null,
    };
    if (key !== undefined) this.#startOnce(record, target, key, onDone);
    else if (request.isSync) this.#sync.run(record, target, onDone);
    else this.#async.accept(record, onDone, request.write);
  }

  /** The key is taken in the transaction that adds the record, before anything runs. */
  #startOnce(record: ExecutionRecord, target: Target, key: IdempotencyKey, onDone: OnDone): void {
    this.#openCalls.opened(); // so that a shutdown does not come in between
    const inserted = this.#store.insertOnce(record, key, record.createdAt - KEY_LIFE_MS);
    void inserted.finally(() => this.#openCalls.closed()).catch(() => undefined);
    inserted.then(
      (taken) => {
        if (taken !== undefined) this.#idempotent.repeat(taken, key, onDone);
        else if (record.isSync) this.#sync.run(record, target, onDone, key);
        else this.#async.offer(record, onDone);
      },
      (cause: unknown) => {
        this.#onFault(cause, `execution ${record.id} was not recorded`);
        onDone(new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause }), undefined);
      },
    );
  }
}

function isFailure({ status }: ExecutionRecord): boolean {
  return status === ExecutionStatus.Failed || status === ExecutionStatus.Error;
}

function executionNotFound(id: string): QinlingError {
  return notFound(`Execution not found [id=${id}]`);
}

function toQinlingError(cause: unknown): QinlingError {
  if (cause instanceof QinlingError) return cause;
  return new QinlingError('INTERNAL', 'Internal service error.', { cause });
}

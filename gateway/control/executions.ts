import type { Access } from '../auth/access.ts';
import { QinlingError, notFound } from '../errors.ts';
import { ExecutionIds } from '../execution-id.ts';
import type { Call, CallEnd } from '../invoke/call.ts';
import type { Invoker } from '../invoke/invoker.ts';
import type { Target } from '../invoke/target.ts';
import type { Targets } from '../invoke/targets.ts';
import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import {
  ExecutionStatus,
  type ExecutionOutcome,
  type ExecutionRecord,
  type ExecutionStore,
  type Filter,
} from '../store/store.ts';
import { AsyncQueue } from './async-queue.ts';
import type { CallTargets, Named } from './call-targets.ts';
import { renderLog } from './execution-log.ts';
import { lostOutcome, toExecutionOutcome } from './outcome.ts';
import { RunningRows, type SyncRun } from './running-rows.ts';

const LIST_PAGE = 500;
const NO_INPUT = new Uint8Array();

export interface NewExecution extends Named {
  /** JSON text of an object, or null. */
  readonly input: string | null;
  readonly isSync: boolean;
  readonly description: string | null;
}

export interface CallTiming {
  readonly queueMs: number;
  readonly bindMs: number;
  readonly runMs: number;
  readonly storeMs: number;
  readonly isWarm: boolean;
}

/** An accepted execution: final for a synchronous one, with where its time went. */
export interface FinishedCall {
  readonly record: ExecutionRecord;
  readonly timing?: CallTiming;
}

export type OnDone = (error: QinlingError | undefined, call: FinishedCall | undefined) => void;

export interface ExecutionsOptions {
  /** How long a synchronous call may wait for a worker. */
  readonly maxWaitingMs: number;
  /** How long agents that outlive the gateway may take to bring back what an earlier process sent; 0 where none does. */
  readonly returnGraceMs: number;
  readonly onFault: (cause: unknown, message: string) => void;
}

/** The record of each requested run, from its acceptance to its end. */
export class Executions {
  readonly #store: ExecutionStore;
  readonly #targets: Targets;
  readonly #callTargets: CallTargets;
  readonly #options: ExecutionsOptions;
  readonly #ids = new ExecutionIds();
  readonly #queue: AsyncQueue;
  readonly #runningRows: RunningRows;
  readonly #adopted = new Set<string>();
  #invoker!: Invoker;
  #openCalls = 0;
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  constructor(store: ExecutionStore, targets: Targets, callTargets: CallTargets, options: ExecutionsOptions) {
    this.#store = store;
    this.#targets = targets;
    this.#callTargets = callTargets;
    this.#options = options;
    const onFault = (cause: unknown) => options.onFault(cause, 'asynchronous executions could not be read');
    this.#queue = new AsyncQueue(store, (record) => this.#runAsync(record), onFault);
    this.#runningRows = new RunningRows(store, (cause) =>
      options.onFault(cause, 'a running execution was not recorded'),
    );
  }

  /** Takes up what an earlier process left: unstarted executions run, started ones are settled (or brought by agents). */
  async start(invoker: Invoker): Promise<void> {
    this.#invoker = invoker;
    const leftStarted = await this.#listAllStarted();
    const settleLeft = () => this.#settleLost(leftStarted.filter((id) => !this.#adopted.has(id)));
    if (this.#options.returnGraceMs === 0) await settleLeft();
    else setTimeout(() => void settleLeft(), this.#options.returnGraceMs).unref();
    this.#queue.start();
  }

  /** Hot. Runs a function once, or accepts its run; `onDone` is called exactly once, with one of its two arguments. */
  create(access: Access, request: NewExecution, onDone: OnDone): void {
    if (this.#isDraining) return onDone(shuttingDown(), undefined);
    const target = this.#callTargets.find(access, request);
    if (target !== undefined) return this.#start(access, request, target, onDone);
    this.#callTargets.load(access, request).then(
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

  /** The executions in scope that the filters let through, oldest first, page by page. */
  async *list(access: Access, filters: readonly Filter[]): AsyncIterable<ExecutionRecord[]> {
    let after: string | undefined;
    for (;;) {
      const records: ExecutionRecord[] = await this.#store.list({
        scope: access.scope,
        filters,
        after,
        limit: LIST_PAGE,
      });
      if (records.length > 0) yield records;
      if (records.length < LIST_PAGE) return;
      after = records.at(-1)!.id;
    }
  }

  /** The record goes; a run in flight is not stopped, its result is dropped. */
  async delete(access: Access, id: string): Promise<void> {
    await this.get(access, id);
    await this.#store.delete(id);
  }

  /** An agent brings an invocation that an earlier process of the gateway sent. */
  adoptCall(executionId: string, link: Link): PendingCall {
    this.#adopted.add(executionId);
    const settle = (outcome: ExecutionOutcome) =>
      this.#store
        .settle(executionId, outcome)
        .catch((cause: unknown) => this.#options.onFault(cause, `execution ${executionId} was not settled`));
    return {
      executionId,
      expiresAtMs: Number.POSITIVE_INFINITY,
      onResult: (result, slot) => {
        const outcome = toExecutionOutcome({ kind: 'outcome', result, isLoaded: true }, 0)!;
        void settle(outcome).then(() => link.acknowledge(slot));
      },
      onNotReceived: () => void settle(lostOutcome()),
      onLost: () => void settle(lostOutcome()),
    };
  }

  /** Takes no new work and resolves when all that was sent has ended, or the time is over. Unstarted ones stay recorded. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    this.#queue.close();
    if (this.#openCalls > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        setTimeout(resolve, timeoutMs).unref();
      });
    }
  }

  close(): void {
    this.#runningRows.close();
  }

  #start(access: Access, request: NewExecution, target: Target, onDone: OnDone): void {
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
      createdAt: nowMs,
      updatedAt: null,
    };
    if (request.isSync) this.#runSync(record, target, onDone);
    else this.#accept(record, onDone);
  }

  #runSync(record: ExecutionRecord, target: Target, onDone: OnDone): void {
    this.#openCalls++;
    const run: SyncRun = { record, call: undefined, isRecorded: false };
    run.call = this.#invoker.invoke({
      executionId: record.id,
      target,
      input: record.input === null ? NO_INPUT : Buffer.from(record.input),
      deadlineMs: performance.now() + this.#options.maxWaitingMs,
      prepare: undefined,
      onEnd: (call, end) => this.#onSyncEnd(run, call, end, onDone),
    });
    if (!run.call.isEnded) this.#runningRows.add(run);
  }

  #onSyncEnd(run: SyncRun, call: Call, end: CallEnd, onDone: OnDone): void {
    this.#runningRows.remove(run);
    if (end.kind === 'refused' && !run.isRecorded) {
      this.#callClosed();
      return onDone(end.error, undefined);
    }
    const outcome = toExecutionOutcome(end, call.target.timeoutMs / 1000) ?? lostOutcome();
    const { log } = outcome;
    const record: ExecutionRecord = {
      ...run.record,
      status: outcome.status,
      output: outcome.output,
      durationSeconds: outcome.durationSeconds,
      updatedAt: Date.now(),
    };
    const written: Promise<unknown> = run.isRecorded
      ? this.#store.settle(record.id, outcome)
      : this.#store.insert(record, log);
    written.then(
      () => {
        call.acknowledge();
        this.#callClosed();
        onDone(undefined, { record, timing: timingOf(call) });
      },
      (cause: unknown) => {
        call.acknowledge(); // the caller is told that there is no record
        this.#callClosed();
        this.#options.onFault(cause, `execution ${record.id} was not recorded`);
        onDone(new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause }), undefined);
      },
    );
  }

  #accept(record: ExecutionRecord, onDone: OnDone): void {
    this.#store.insert(record, null).then(
      () => {
        onDone(undefined, { record });
        this.#queue.offer(record);
      },
      (cause: unknown) => {
        this.#options.onFault(cause, `execution ${record.id} was not recorded`);
        onDone(new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause }), undefined);
      },
    );
  }

  #runAsync(record: ExecutionRecord): void {
    const { functionId, functionVersion } = record;
    const target = this.#targets.find(functionId, functionVersion);
    if (target !== undefined) return this.#invokeAsync(record, target);
    this.#targets.load(functionId, functionVersion).then(
      (loaded) => this.#invokeAsync(record, loaded),
      () => this.#settleAsync(record.id, lostOutcome(), undefined), // the function or its version is gone
    );
  }

  #invokeAsync(record: ExecutionRecord, target: Target): void {
    this.#invoker.invoke({
      executionId: record.id,
      target,
      input: record.input === null ? NO_INPUT : Buffer.from(record.input),
      deadlineMs: Number.POSITIVE_INFINITY,
      prepare: () => this.#markStarted(record.id),
      onEnd: (call, end) => this.#onAsyncEnd(call, end),
    });
  }

  async #markStarted(id: string): Promise<boolean> {
    if (this.#isDraining) return false;
    this.#openCalls++;
    try {
      const isStarted = await this.#store.markStarted(id);
      if (!isStarted) this.#callClosed();
      return isStarted;
    } catch (cause) {
      this.#callClosed();
      throw cause;
    }
  }

  #onAsyncEnd(call: Call, end: CallEnd): void {
    const isLeftForNextStart = end.kind === 'refused' && end.error.code === 'SHUTTING_DOWN' && !call.isPrepared;
    const outcome = isLeftForNextStart ? undefined : toExecutionOutcome(end, call.target.timeoutMs / 1000);
    if (outcome === undefined) this.#queue.ended();
    else this.#settleAsync(call.executionId, outcome, call);
  }

  #settleAsync(id: string, outcome: ExecutionOutcome, call: Call | undefined): void {
    this.#store
      .settle(id, outcome)
      .catch((cause: unknown) => this.#options.onFault(cause, `execution ${id} was not settled`))
      .finally(() => {
        call?.acknowledge();
        if (call?.isPrepared === true) this.#callClosed();
        this.#queue.ended();
      });
  }

  #callClosed(): void {
    this.#openCalls--;
    if (this.#openCalls === 0) this.#onIdle?.();
  }

  async #listAllStarted(): Promise<string[]> {
    const ids: string[] = [];
    for (;;) {
      const records = await this.#store.listStarted(ids.at(-1), LIST_PAGE);
      for (const record of records) ids.push(record.id);
      if (records.length < LIST_PAGE) return ids;
    }
  }

  async #settleLost(ids: readonly string[]): Promise<void> {
    const settled = ids.map((id) => this.#store.settle(id, lostOutcome()));
    await Promise.all(settled).catch((cause: unknown) =>
      this.#options.onFault(cause, 'lost executions were not settled'),
    );
  }
}

function timingOf(call: Call): CallTiming {
  const { acceptedAtMs, sentAtMs, endedAtMs, bindMs, isWarm } = call;
  const waitedMs = sentAtMs === 0 ? endedAtMs - acceptedAtMs : sentAtMs - acceptedAtMs;
  const runMs = sentAtMs === 0 ? 0 : endedAtMs - sentAtMs;
  return { queueMs: Math.max(0, waitedMs - bindMs), bindMs, runMs, storeMs: performance.now() - endedAtMs, isWarm };
}

function executionNotFound(id: string): QinlingError {
  return notFound(`Execution not found [id=${id}]`);
}

function shuttingDown(): QinlingError {
  return new QinlingError('SHUTTING_DOWN', 'The service is shutting down.', { retryAfterSeconds: 5 });
}

function toQinlingError(cause: unknown): QinlingError {
  if (cause instanceof QinlingError) return cause;
  return new QinlingError('INTERNAL', 'Internal service error.', { cause });
}

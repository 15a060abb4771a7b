import { QinlingError } from '../errors.ts';
import type { Call, CallEnd } from '../invoke/call.ts';
import type { Invoker } from '../invoke/invoker.ts';
import type { Target } from '../invoke/target.ts';
import type { Targets } from '../invoke/targets.ts';
import type { ExecutionOutcome, ExecutionRecord, ExecutionStore } from '../store/store.ts';
import { AsyncQueue } from './async-queue.ts';
import { inputBytes } from './execution-input.ts';
import type { OnDone } from './finished-call.ts';
import type { OpenCalls } from './open-calls.ts';
import { lostOutcome, toExecutionOutcome } from './outcome.ts';

export interface AsyncRunsOptions {
  readonly onFault: (cause: unknown, message: string) => void;
}

/** Asynchronous executions: recorded first, answered, and run as workers have room; each starts at most once. */
export class AsyncRuns {
  readonly #store: ExecutionStore;
  readonly #targets: Targets;
  readonly #openCalls: OpenCalls;
  readonly #options: AsyncRunsOptions;
  readonly #queue: AsyncQueue;
  #invoker!: Invoker;
  #isDraining = false;

  constructor(store: ExecutionStore, targets: Targets, openCalls: OpenCalls, options: AsyncRunsOptions) {
    this.#store = store;
    this.#targets = targets;
    this.#openCalls = openCalls;
    this.#options = options;
    const onFault = (cause: unknown) => options.onFault(cause, 'asynchronous executions could not be read');
    this.#queue = new AsyncQueue(store, (record) => this.#run(record), onFault);
  }

  /** Takes up what was accepted and not started, by this process or an earlier one. */
  start(invoker: Invoker): void {
    this.#invoker = invoker;
    this.#queue.start();
  }

  /** Starts none from now on; they stay recorded. */
  drain(): void {
    this.#isDraining = true;
    this.#queue.close();
  }

  accept(record: ExecutionRecord, onDone: OnDone): void {
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

  #run(record: ExecutionRecord): void {
    const target = this.#targets.find(record.functionId);
    if (target !== undefined) return this.#invoke(record, target);
    this.#targets.load(record.functionId).then(
      (loaded) => this.#invoke(record, loaded),
      () => this.#settle(record.id, lostOutcome(), undefined), // the function is gone
    );
  }

  #invoke(record: ExecutionRecord, target: Target): void {
    this.#invoker.invoke({
      executionId: record.id,
      target,
      input: inputBytes(record),
      deadlineMs: Number.POSITIVE_INFINITY,
      prepare: () => this.#markStarted(record.id),
      onEnd: (call, end) => this.#onEnd(call, end),
    });
  }

  async #markStarted(id: string): Promise<boolean> {
    if (this.#isDraining) return false;
    this.#openCalls.opened();
    try {
      const isStarted = await this.#store.markStarted(id);
      if (!isStarted) this.#openCalls.closed();
      return isStarted;
    } catch (cause) {
      this.#openCalls.closed();
      throw cause;
    }
  }

  #onEnd(call: Call, end: CallEnd): void {
    const isLeftForNextStart = end.kind === 'refused' && end.error.code === 'SHUTTING_DOWN' && !call.isPrepared;
    const outcome = isLeftForNextStart ? undefined : toExecutionOutcome(end, call.target.timeoutMs / 1000);
    if (outcome === undefined) this.#queue.ended();
    else this.#settle(call.executionId, outcome, call);
  }

  #settle(id: string, outcome: ExecutionOutcome, call: Call | undefined): void {
    this.#store
      .settle(id, outcome)
      .catch((cause: unknown) => this.#options.onFault(cause, `execution ${id} was not settled`))
      .finally(() => {
        call?.acknowledge();
        if (call?.isPrepared === true) this.#openCalls.closed();
        this.#queue.ended();
      });
  }
}

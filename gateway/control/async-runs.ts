import { QinlingError } from '../errors.ts';
import { invocationId } from '../invocation-id.ts';
import type { Call, CallEnd } from '../invoke/call.ts';
import type { Target } from '../invoke/target.ts';
import type { Targets } from '../invoke/targets.ts';
import type { ExecutionOutcome, ExecutionRecord, ExecutionStore, TimeMs } from '../store/store.ts';
import { AsyncQueue } from './async-queue.ts';
import { attemptNumber } from './attempts.ts';
import { inputBytes } from './execution-input.ts';
import type { OnDone } from './finished-call.ts';
import type { LiveRun } from './log-followers.ts';
import type { OpenCalls } from './open-calls.ts';
import { lostOutcome, toExecutionOutcome } from './outcome.ts';
import { RetryTimer } from './retry-timer.ts';
import type { Runner } from './runner.ts';
import type { Settlement } from './settlement.ts';

export interface AsyncRunsOptions {
  readonly onFault: (cause: unknown, message: string) => void;
}

/** Asynchronous executions: recorded first, answered, and run as workers have room; each attempt starts at most once. */
export class AsyncRuns {
  readonly #store: ExecutionStore;
  readonly #targets: Targets;
  readonly #openCalls: OpenCalls;
  readonly #settlement: Settlement;
  readonly #options: AsyncRunsOptions;
  readonly #queue: AsyncQueue;
  readonly #retries: RetryTimer;
  /** By the ids of executions. */
  readonly #calls = new Map<string, Call>();
  #runner!: Runner;
  #isDraining = false;

  constructor(
    store: ExecutionStore,
    targets: Targets,
    openCalls: OpenCalls,
    settlement: Settlement,
    options: AsyncRunsOptions,
  ) {
    this.#store = store;
    this.#targets = targets;
    this.#openCalls = openCalls;
    this.#settlement = settlement;
    this.#options = options;
    const onFault = (cause: unknown) => options.onFault(cause, 'asynchronous executions could not be read');
    this.#queue = new AsyncQueue(store, (record) => this.#run(record), onFault);
    this.#retries = new RetryTimer(store, (record) => this.#queue.readmit(record), onFault);
  }

  /** Takes up what was accepted and not started, by this process or an earlier one. */
  start(runner: Runner): void {
    this.#runner = runner;
    this.#queue.start();
    this.#retries.start();
  }

  /** Executions of another gateway have become this one's. */
  takeMore(): void {
    this.#queue.rewind();
    this.#retries.expect(Date.now());
  }

  /** Starts none from now on; they stay recorded. */
  drain(): void {
    this.#isDraining = true;
    this.#queue.close();
    this.#retries.close();
  }

  /** `write`: adds the record in place of a plain insert; false where it did not, and nothing is to run. */
  accept(record: ExecutionRecord, onDone: OnDone, write?: (record: ExecutionRecord) => Promise<boolean>): void {
    const written: Promise<boolean | void> = write === undefined ? this.#store.insert(record, null) : write(record);
    written.then(
      (isWritten) => {
        if (isWritten !== false) return this.offer(record, onDone);
        onDone(new QinlingError('CONFLICT', 'The execution was not accepted.'), undefined);
      },
      (cause: unknown) => {
        this.#options.onFault(cause, `execution ${record.id} was not recorded`);
        onDone(new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause }), undefined);
      },
    );
  }

  /** One that is in the records. */
  offer(record: ExecutionRecord, onDone: OnDone): void {
    onDone(undefined, { record });
    this.#queue.offer(record);
  }

  /** The next attempt of some execution is due then. */
  expect(dueAt: TimeMs): void {
    this.#retries.expect(dueAt);
  }

  find(executionId: string): LiveRun | undefined {
    const call = this.#calls.get(executionId);
    return call?.seat === undefined ? undefined : { call, link: call.seat.link };
  }

  #run(record: ExecutionRecord): void {
    const { functionId, functionVersion } = record;
    const target = this.#targets.find(functionId, functionVersion);
    if (target !== undefined) return this.#invoke(record, target);
    this.#targets.load(functionId, functionVersion).then(
      (loaded) => this.#invoke(record, loaded),
      () => this.#settle(withoutRetry(record), lostOutcome(), undefined), // it is gone
    );
  }

  #invoke(record: ExecutionRecord, target: Target): void {
    const call = this.#runner.invoke({
      executionId: invocationId(record.id, record.attempts?.number),
      target,
      input: inputBytes(record),
      deadlineMs: Number.POSITIVE_INFINITY,
      prepare: () => this.#markStarted(record),
      onEnd: (ended, end) => this.#onEnd(record, ended, end),
    });
    if (!call.isEnded) this.#calls.set(record.id, call);
  }

  async #markStarted(record: ExecutionRecord): Promise<boolean> {
    if (this.#isDraining) return false;
    this.#openCalls.opened();
    try {
      const isStarted = await this.#store.markStarted(record.id, attemptNumber(record));
      if (!isStarted) this.#openCalls.closed();
      return isStarted;
    } catch (cause) {
      this.#openCalls.closed();
      throw cause;
    }
  }

  #onEnd(record: ExecutionRecord, call: Call, end: CallEnd): void {
    this.#calls.delete(record.id);
    const isLeftForNextStart = end.kind === 'refused' && end.error.code === 'SHUTTING_DOWN' && !call.isPrepared;
    const outcome = isLeftForNextStart ? undefined : toExecutionOutcome(end, call.target.timeoutMs / 1000);
    if (outcome === undefined) this.#queue.ended(record.id);
    else this.#settle(record, outcome, call);
  }

  #settle(record: ExecutionRecord, outcome: ExecutionOutcome, call: Call | undefined): void {
    this.#settlement
      .end(record, outcome)
      .catch((cause: unknown) => this.#options.onFault(cause, `execution ${record.id} was not settled`))
      .finally(() => {
        call?.acknowledge();
        if (call?.isPrepared === true) this.#openCalls.closed();
        this.#queue.ended(record.id);
      });
  }
}

function withoutRetry(record: ExecutionRecord): ExecutionRecord {
  return record.attempts === null ? record : { ...record, attempts: { ...record.attempts, policy: null } };
}

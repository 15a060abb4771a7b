import { QinlingError } from '../errors.ts';
import type { Call, CallEnd } from '../invoke/call.ts';
import type { Target } from '../invoke/target.ts';
import type { IdempotencyKey } from '../store/idempotency-key.ts';
import type { ExecutionOutcome, ExecutionRecord, ExecutionStore } from '../store/store.ts';
import type { EndWatch } from './end-watch.ts';
import { inputBytes } from './execution-input.ts';
import { timingOf, type OnDone } from './finished-call.ts';
import type { LiveRun } from './log-followers.ts';
import type { OpenCalls } from './open-calls.ts';
import { lostOutcome, toExecutionOutcome } from './outcome.ts';
import { RunningRows, type SyncRun } from './running-rows.ts';
import type { Runner } from './runner.ts';

export interface SyncRunsOptions {
  /** How long a call may wait for a worker. */
  readonly maxWaitingMs: number;
  readonly onFault: (cause: unknown, message: string) => void;
}

/** Synchronous executions: run first, recorded at their end, answered when that is durable. */
export class SyncRuns {
  readonly #store: ExecutionStore;
  readonly #openCalls: OpenCalls;
  readonly #watch: EndWatch;
  readonly #options: SyncRunsOptions;
  readonly #runningRows: RunningRows;
  #runner!: Runner;

  constructor(store: ExecutionStore, openCalls: OpenCalls, watch: EndWatch, options: SyncRunsOptions) {
    this.#store = store;
    this.#openCalls = openCalls;
    this.#watch = watch;
    this.#options = options;
    this.#runningRows = new RunningRows(store, (cause) =>
      options.onFault(cause, 'a running execution was not recorded'),
    );
  }

  start(runner: Runner): void {
    this.#runner = runner;
  }

  close(): void {
    this.#runningRows.close();
  }

  find(executionId: string): LiveRun | undefined {
    const call = this.#runningRows.find(executionId)?.call;
    return call?.seat === undefined ? undefined : { call, link: call.seat.link };
  }

  /** Hot. `key`: the one that was taken for the record, which is in the store then; undefined: it is not. */
  run(record: ExecutionRecord, target: Target, onDone: OnDone, key?: IdempotencyKey): void {
    this.#openCalls.opened();
    const run: SyncRun = { record, call: undefined, isRecorded: key !== undefined, key };
    run.call = this.#runner.invoke({
      executionId: record.id,
      target,
      input: inputBytes(record),
      deadlineMs: performance.now() + this.#options.maxWaitingMs,
      prepare: undefined,
      onEnd: (call, end) => this.#onEnd(run, call, end, onDone),
    });
    if (!run.call.isEnded) this.#runningRows.add(run);
  }

  #onEnd(run: SyncRun, call: Call, end: CallEnd, onDone: OnDone): void {
    this.#runningRows.remove(run);
    const isTurnedAway = end.kind === 'refused' && end.error.code !== 'UNAVAILABLE'; // it may come again; there is no record
    if (isTurnedAway) {
      if (run.key !== undefined) return this.#withdraw(run, run.key, end.error, onDone);
      if (!run.isRecorded) {
        this.#openCalls.closed();
        return onDone(end.error, undefined);
      }
    }
    const outcome = toExecutionOutcome(end, call.target.timeoutMs / 1000) ?? lostOutcome();
    const record = endedRecord(run.record, outcome);
    const onWritten = (): void => {
      call.acknowledge();
      this.#openCalls.closed();
      if (this.#watch.isWatched) this.#tellEnd(record.id, outcome);
      onDone(undefined, { record, timing: timingOf(call) });
    };
    const onFault = (cause: unknown): void => {
      call.acknowledge(); // the caller is told that there is no record
      this.#openCalls.closed();
      this.#options.onFault(cause, `execution ${record.id} was not recorded`);
      onDone(new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause }), undefined);
    };
    if (run.isRecorded) this.#store.settle(record.id, outcome).then(onWritten, onFault);
    else this.#store.insertThen(record, outcome.log, onWritten, onFault);
  }

  /** It did not run: the caller may try again with the same key. */
  #withdraw({ record }: SyncRun, key: IdempotencyKey, refusal: QinlingError, onDone: OnDone): void {
    this.#store
      .withdraw(record, key)
      .catch((cause: unknown) => this.#options.onFault(cause, `execution ${record.id} was not withdrawn`))
      .finally(() => {
        this.#openCalls.closed();
        if (this.#watch.isWatched) this.#watch.tell(record.id, undefined);
        onDone(refusal, undefined);
      });
  }

  #tellEnd(executionId: string, { status, log }: ExecutionOutcome): void {
    this.#watch.tell(executionId, { status, log, isFinal: true });
  }
}

/** Hot: every field by its name, which is faster than a copy. */
function endedRecord(record: ExecutionRecord, outcome: ExecutionOutcome): ExecutionRecord {
  return {
    id: record.id,
    projectId: record.projectId,
    functionId: record.functionId,
    functionVersion: record.functionVersion,
    functionAlias: record.functionAlias,
    description: record.description,
    status: outcome.status,
    isSync: record.isSync,
    input: record.input,
    output: outcome.output,
    durationSeconds: outcome.durationSeconds,
    isStarted: record.isStarted,
    attempts: record.attempts,
    createdAt: record.createdAt,
    updatedAt: Date.now(),
  };
}

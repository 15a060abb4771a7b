import { createHash } from 'node:crypto';
import { QinlingError } from '../errors.ts';
import type { IdempotencyKey, TakenKey } from '../store/idempotency-key.ts';
import { ExecutionStatus, type ExecutionStore } from '../store/store.ts';
import { tooManyWaiters, type ExecutionWaiters } from './execution-waiters.ts';
import type { NewExecution } from './executions.ts';
import type { FinishedCall, OnDone } from './finished-call.ts';

/** How long a key is good for the same execution. */
export const KEY_LIFE_MS = 24 * 60 * 60 * 1000;
/** How long a repeated synchronous request waits for an execution that another process runs. */
const MAX_REPEAT_WAIT_MS = 20 * 60 * 1000;
const MAX_JOINED = 1_000;

interface OpenCall {
  readonly fingerprint: string;
  readonly waiting: OnDone[];
}

/**
 * Requests with an idempotency key: those of a project that have the same key get the same execution. One that comes
 * while the first is under way has its answer with it; a later one is answered from the records.
 */
export class IdempotentCalls {
  readonly #store: ExecutionStore;
  readonly #waiters: ExecutionWaiters;
  readonly #onFault: (cause: unknown, message: string) => void;
  /** By project and key. */
  readonly #open = new Map<string, OpenCall>();
  #joined = 0;

  constructor(store: ExecutionStore, waiters: ExecutionWaiters, onFault: (cause: unknown, message: string) => void) {
    this.#store = store;
    this.#waiters = waiters;
    this.#onFault = onFault;
  }

  /** Has `start` begin a new execution where the key is free; else gives the one that it was taken for. */
  create(projectId: string, key: IdempotencyKey, onDone: OnDone, start: (onDone: OnDone) => void): void {
    const name = `${projectId}\n${key.text}`;
    const open = this.#open.get(name);
    if (open !== undefined) return this.#join(open, key, onDone);
    const call: OpenCall = { fingerprint: key.fingerprint, waiting: [] };
    this.#open.set(name, call);
    const finish: OnDone = (error, finished) => {
      this.#open.delete(name);
      this.#joined -= call.waiting.length;
      onDone(error, finished);
      for (const joined of call.waiting) joined(error, finished && { record: finished.record, isRepeated: true });
    };
    this.#store.findKey(projectId, key.text, Date.now() - KEY_LIFE_MS).then(
      (taken) => (taken === undefined ? start(finish) : this.repeat(taken, key, finish)),
      (cause: unknown) =>
        finish(new QinlingError('UNAVAILABLE', 'The key could not be looked up.', { cause }), undefined),
    );
  }

  /** Answers with the execution that the key was taken for; a synchronous request waits for its end. */
  repeat(taken: TakenKey, key: IdempotencyKey, onDone: OnDone): void {
    if (taken.fingerprint !== key.fingerprint) return onDone(keyReused(), undefined);
    this.#find(taken.executionId).then(
      (finished) => onDone(undefined, finished),
      (cause: unknown) => {
        if (cause instanceof QinlingError) return onDone(cause, undefined);
        this.#onFault(cause, `execution ${taken.executionId} could not be read`);
        onDone(new QinlingError('UNAVAILABLE', 'The execution could not be read.', { cause }), undefined);
      },
    );
  }

  #join(open: OpenCall, key: IdempotencyKey, onDone: OnDone): void {
    if (open.fingerprint !== key.fingerprint) return onDone(keyReused(), undefined);
    if (this.#joined >= MAX_JOINED) return onDone(tooManyWaiters(), undefined);
    this.#joined++;
    open.waiting.push(onDone);
  }

  async #find(executionId: string): Promise<FinishedCall> {
    let record = await this.#store.get(executionId, null);
    if (record?.isSync === true && record.status === ExecutionStatus.Running) {
      await this.#waiters.wait(executionId, MAX_REPEAT_WAIT_MS);
      record = await this.#store.get(executionId, null);
    }
    if (record === undefined) {
      throw new QinlingError('CONFLICT', 'The execution that this Idempotency-Key was used for is no longer kept.');
    }
    if (record.isSync && record.status === ExecutionStatus.Running) {
      const text = 'The request that this Idempotency-Key was first used for is still under way; try again later.';
      throw new QinlingError('CONFLICT', text, { retryAfterSeconds: 5 });
    }
    return { record, isRepeated: true };
  }
}

/** The key of a request, with what tells it from another request. */
export function toIdempotencyKey(text: string, request: NewExecution): IdempotencyKey {
  const { functionId, functionAlias, functionVersion, input, isSync, description } = request;
  const parts = [functionId ?? null, functionAlias ?? null, functionVersion, input, isSync, description];
  return { text, fingerprint: createHash('sha256').update(JSON.stringify(parts)).digest('hex') };
}

/** As the draft of the header's specification has it. */
function keyReused(): QinlingError {
  return new QinlingError('KEY_REUSED', 'This Idempotency-Key was used for another request; take a new one.');
}

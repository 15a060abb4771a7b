import type { Call } from '../invoke/call.ts';
import type { IdempotencyKey } from '../store/idempotency-key.ts';
import type { ExecutionRecord, ExecutionStore } from '../store/store.ts';

const SWEEP_MS = 50;
const RECORD_AFTER_MS = 50;

/** A synchronous execution under way. */
export interface SyncRun {
  readonly record: ExecutionRecord;
  call: Call | undefined;
  /** True once its running row was written; its end is then an update of that row. */
  isRecorded: boolean;
  /** The key that was taken for it; its row was written before it began. */
  readonly key: IdempotencyKey | undefined;
}

/**
 * Short synchronous runs are recorded once, at their end. One that lasts gets a row with status `running` meanwhile, so
 * that lists show it, and so that it is settled should the gateway die.
 */
export class RunningRows {
  readonly #store: ExecutionStore;
  readonly #onFault: (cause: unknown) => void;
  readonly #runs = new Set<SyncRun>();
  /** Runs that callers may ask for: those with a row. */
  readonly #recorded = new Map<string, SyncRun>();
  readonly #timer: NodeJS.Timeout;

  constructor(store: ExecutionStore, onFault: (cause: unknown) => void) {
    this.#store = store;
    this.#onFault = onFault;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Hot. */
  add(run: SyncRun): void {
    if (run.isRecorded) this.#recorded.set(run.record.id, run);
    else this.#runs.add(run);
  }

  /** Hot. */
  remove(run: SyncRun): void {
    if (run.isRecorded) this.#recorded.delete(run.record.id);
    else this.#runs.delete(run);
  }

  find(executionId: string): SyncRun | undefined {
    return this.#recorded.get(executionId);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const before = performance.now() - RECORD_AFTER_MS;
    for (const run of this.#runs) {
      const { call } = run;
      if (call === undefined || call.sentAtMs === 0) continue; // may still be refused, and then leaves no record
      if (call.sentAtMs > before) break; // in the order of acceptance: the rest is younger, near enough
      this.#runs.delete(run);
      run.isRecorded = true;
      this.#recorded.set(run.record.id, run);
      this.#store.insert(run.record, null).catch(this.#onFault);
    }
  }
}

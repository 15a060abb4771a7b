import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import type { ExecutionOutcome, ExecutionStore } from '../store/store.ts';
import { lostOutcome, toExecutionOutcome } from './outcome.ts';

const PAGE = 500;

export interface LeftExecutionsOptions {
  /** How long agents that outlive the gateway may take to bring back what an earlier process sent; 0 where none does. */
  readonly returnGraceMs: number;
  readonly onFault: (cause: unknown, message: string) => void;
}

/** Executions that an earlier process had started: agents bring their ends, or they are settled as lost. */
export class LeftExecutions {
  readonly #store: ExecutionStore;
  readonly #options: LeftExecutionsOptions;
  readonly #adopted = new Set<string>();

  constructor(store: ExecutionStore, options: LeftExecutionsOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Resolves when all that were left are known; where no agent can bring one, when they are settled. */
  async start(): Promise<void> {
    const left = await this.#listStarted();
    const settleLeft = () => this.#settleLost(left.filter((id) => !this.#adopted.has(id)));
    if (this.#options.returnGraceMs === 0) await settleLeft();
    else setTimeout(() => void settleLeft(), this.#options.returnGraceMs).unref();
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

  async #listStarted(): Promise<string[]> {
    const ids: string[] = [];
    for (;;) {
      const records = await this.#store.listStarted(ids.at(-1), PAGE);
      for (const record of records) ids.push(record.id);
      if (records.length < PAGE) return ids;
    }
  }

  async #settleLost(ids: readonly string[]): Promise<void> {
    const settled = ids.map((id) => this.#store.settle(id, lostOutcome()));
    await Promise.all(settled).catch((cause: unknown) =>
      this.#options.onFault(cause, 'lost executions were not settled'),
    );
  }
}

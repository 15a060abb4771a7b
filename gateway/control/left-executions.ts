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

/**
 * Executions that a process which is gone had started, an earlier one of this gateway or another gateway: agents bring
 * their ends, or they are settled as lost.
 */
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
    await this.#settleLeft(await this.#listStarted());
    await this.takeOver(null);
  }

  /**
   * Makes what another gateway left this one's; null: what an earlier version of this program left. Resolves with true
   * if there is some that was not started. What had been started is settled as at the start.
   */
  async takeOver(gatewayId: string | null): Promise<boolean> {
    let hasUnstarted = false;
    for (;;) {
      const records = await this.#store.takeOver(gatewayId, PAGE);
      const started = records.filter(({ isStarted }) => isStarted);
      hasUnstarted ||= started.length < records.length;
      await this.#settleLeft(started.map(({ id }) => id));
      if (records.length < PAGE) return hasUnstarted;
    }
  }

  /** An agent brings an invocation that a process which is gone had sent. */
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

  async #settleLeft(ids: readonly string[]): Promise<void> {
    const settle = () => this.#settleLost(ids.filter((id) => !this.#adopted.has(id)));
    if (this.#options.returnGraceMs === 0) await settle();
    else if (ids.length > 0) setTimeout(() => void settle(), this.#options.returnGraceMs).unref();
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

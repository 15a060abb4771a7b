import { invocationId, parseInvocationId } from '../invocation-id.ts';
import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import { ExecutionStatus, type ExecutionOutcome, type ExecutionRecord, type ExecutionStore } from '../store/store.ts';
import { attemptNumber } from './attempts.ts';
import type { LiveRun } from './log-followers.ts';
import { lostOutcome, toExecutionOutcome } from './outcome.ts';
import type { Settlement } from './settlement.ts';

const PAGE = 500;

export interface LeftExecutionsOptions {
  /** How long agents that outlive the gateway may take to bring back what an earlier process sent; 0 where none does. */
  readonly returnGraceMs: number;
  readonly onFault: (cause: unknown, message: string) => void;
}

type Left = Pick<ExecutionRecord, 'id' | 'attempts'>;

/**
 * Executions that a process which is gone had started, an earlier one of this gateway or another gateway: agents bring
 * their ends, or they are settled as lost.
 */
export class LeftExecutions {
  readonly #store: ExecutionStore;
  readonly #settlement: Settlement;
  readonly #options: LeftExecutionsOptions;
  /** Invocations that agents brought, by their ids. */
  readonly #adopted = new Set<string>();
  /** Those of them that have not ended, by the ids of their executions. */
  readonly #live = new Map<string, LiveRun>();

  constructor(store: ExecutionStore, settlement: Settlement, options: LeftExecutionsOptions) {
    this.#store = store;
    this.#settlement = settlement;
    this.#options = options;
  }

  /** Resolves when all that were left are known; where no agent can bring one, when they are settled. */
  async start(): Promise<void> {
    await this.#settleLeft(await this.#listStarted());
    await this.takeOver(null);
  }

  /**
   * Makes what another gateway left this one's; null: what an earlier version of this program left. Resolves with true
   * if there is some that is still to be run. What had been started is settled as at the start.
   */
  async takeOver(gatewayId: string | null): Promise<boolean> {
    let hasUnstarted = false;
    for (;;) {
      const records = await this.#store.takeOver(gatewayId, PAGE);
      const started = records.filter(({ isStarted }) => isStarted);
      hasUnstarted ||= started.length < records.length;
      await this.#settleLeft(started);
      if (records.length === 0) return hasUnstarted;
    }
  }

  find(executionId: string): LiveRun | undefined {
    return this.#live.get(executionId);
  }

  /**
   * Somebody has a run that a process which is gone had started. Resolves with how its end is told; undefined: nobody
   * awaits it.
   */
  async adopt(id: string): Promise<((outcome: ExecutionOutcome) => void) | undefined> {
    const { executionId, attempt } = parseInvocationId(id);
    const record = await this.#store.get(executionId, null);
    if (record?.status !== ExecutionStatus.Running || attemptNumber(record) !== attempt) return undefined;
    this.#adopted.add(id);
    return (outcome) => void this.#settle(executionId, attempt, outcome);
  }

  /** An agent brings an invocation that a process which is gone had sent. */
  adoptCall(id: string, link: Link): PendingCall {
    const { executionId, attempt } = parseInvocationId(id);
    this.#adopted.add(id);
    const settle = (outcome: ExecutionOutcome) => {
      if (this.#live.get(executionId)?.call === call) this.#live.delete(executionId);
      return this.#settle(executionId, attempt, outcome);
    };
    const call: PendingCall = {
      executionId: id,
      expiresAtMs: Number.POSITIVE_INFINITY,
      onResult: (result, slot) => {
        const outcome = toExecutionOutcome({ kind: 'outcome', result, isLoaded: true }, 0)!;
        void settle(outcome).then(() => link.acknowledge(slot));
      },
      onNotReceived: () => void settle(lostOutcome()),
      onLost: () => void settle(lostOutcome()),
    };
    this.#live.set(executionId, { call, link });
    return call;
  }

  async #settleLeft(left: readonly Left[]): Promise<void> {
    const isLost = ({ id, attempts }: Left) => !this.#adopted.has(invocationId(id, attempts?.number));
    const settle = () => this.#settleLost(left.filter(isLost));
    if (this.#options.returnGraceMs === 0) await settle();
    else if (left.length > 0) setTimeout(() => void settle(), this.#options.returnGraceMs).unref();
  }

  /** Ends an attempt that was brought; one that the execution has left behind changes nothing. */
  async #settle(executionId: string, attempt: number, outcome: ExecutionOutcome): Promise<void> {
    try {
      const record = await this.#store.get(executionId, null);
      if (record !== undefined && attemptNumber(record) === attempt) await this.#settlement.end(record, outcome);
    } catch (cause) {
      this.#options.onFault(cause, `execution ${executionId} was not settled`);
    }
  }

  async #listStarted(): Promise<Left[]> {
    const left: Left[] = [];
    for (;;) {
      const records = await this.#store.listStarted(left.at(-1)?.id, PAGE);
      for (const { id, attempts } of records) left.push({ id, attempts });
      if (records.length === 0) return left;
    }
  }

  async #settleLost(left: readonly Left[]): Promise<void> {
    const settled = left.map((record) => this.#settlement.end(record, lostOutcome()));
    await Promise.all(settled).catch((cause: unknown) =>
      this.#options.onFault(cause, 'lost executions were not settled'),
    );
  }
}

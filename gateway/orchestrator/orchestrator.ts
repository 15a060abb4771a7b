import type { AgentAuthenticator } from '../link/agent-identity.ts';

/** What an orchestrator needs to know of a runtime. */
export interface PoolSpec {
  readonly runtimeId: string;
  readonly image: string;
  readonly isTrusted: boolean;
}

export interface OrchestratorCapabilities {
  readonly supportsImageFunctions: boolean;
}

/** Makes and removes workers. Knows nothing of functions, links' messages or HTTP; routing never asks it anything. */
export interface Orchestrator {
  readonly capabilities: OrchestratorCapabilities;
  /** How long agents may take to come back after the gateway started; 0 where they end with it. */
  readonly returnGraceMs: number;
  /** Name of the pool that serves the runtime, as agents say it in Hello; undefined where none can. */
  poolName(pool: PoolSpec): string | undefined;
  /**
   * Resolves once workers can serve the runtime. May be asked twice for one pool. Rejects with a QinlingError whose
   * message says why there is no such pool; the signal bounds the wait.
   */
  createPool(pool: PoolSpec, signal: AbortSignal): Promise<void>;
  /** The pool's image changed. Resolves once workers of the new one can serve; rejects as `createPool`. */
  updatePool(pool: PoolSpec, signal: AbortSignal): Promise<void>;
  /** Resolves also when there is no such pool. */
  deletePool(pool: PoolSpec): Promise<void>;
  /** How many workers the pool should have and has not, because the room is taken by others. */
  lackingWorkers(poolName: string): Promise<number>;
  /** Ends what belongs to this gateway. May be called twice. */
  close(): Promise<void>;
}

/** An orchestrator's part in the life of the gateway's process. */
export interface OrchestratorProcess extends AgentAuthenticator {
  /**
   * Once, before all else. Resolves with the names of pools that are there unasked, as far as they are known by then.
   * Rejects where no workers can be had.
   */
  start(timeoutMs: number): Promise<string[]>;
  /** Once, with the pools that there should be: brings what there is in line with them, and lets agents in. */
  reconcile(pools: readonly PoolSpec[]): Promise<void>;
}

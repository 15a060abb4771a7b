import { Deadline } from '../../../protocol/deadline.ts';
import { QinlingError } from '../../errors.ts';
import { randomBytes } from 'node:crypto';
import { SecretAuthenticator, type AgentIdentity } from '../../link/agent-identity.ts';
import type { LinkSet } from '../../link/link-set.ts';
import type { Orchestrator, OrchestratorProcess, PoolSpec } from '../orchestrator.ts';
import { AgentProcess, type AgentProcessOptions } from './agent-process.ts';
import type { RuntimeImages } from '../runtime-images.ts';

export const LOCAL_AGENT_NAME = 'local';

/** Workers on this machine: one agent, a child process, that serves every runtime whose language it found. */
export class LocalOrchestrator implements Orchestrator, OrchestratorProcess {
  readonly capabilities = { supportsImageFunctions: false };
  /** Agents end with the gateway: nothing of an earlier process comes back. */
  readonly returnGraceMs = 0;
  readonly #links: LinkSet;
  readonly #images: RuntimeImages;
  readonly #agent: AgentProcess;
  readonly #authenticator: SecretAuthenticator;

  /** An empty token: one that nobody knows. */
  constructor(links: LinkSet, images: RuntimeImages, agent: Omit<AgentProcessOptions, 'onGone'>) {
    this.#links = links;
    this.#images = images;
    const token = agent.token === '' ? randomBytes(32).toString('hex') : agent.token;
    this.#authenticator = new SecretAuthenticator(token);
    this.#agent = new AgentProcess({ ...agent, token, onGone: () => links.agentGone(LOCAL_AGENT_NAME) });
  }

  /** Starts the agent; resolves with the names of its pools once it is connected, or when the time is over. */
  async start(timeoutMs: number): Promise<string[]> {
    this.#agent.start();
    const deadline = new Deadline(timeoutMs, new AbortController().signal);
    await this.#waitFor(() => this.poolNames().length > 0, deadline.signal).catch(() => undefined);
    deadline.clear();
    return this.poolNames();
  }

  async reconcile(): Promise<void> {
    // The agent was started with this process: nothing is left of an earlier one.
  }

  authenticate(authorization: string): AgentIdentity | undefined {
    return this.#authenticator.authenticate(authorization);
  }

  poolNames(): string[] {
    return [...new Set([...this.#links].flatMap((link) => (link.isReady ? [...link.pools] : [])))].sort();
  }

  poolName(pool: PoolSpec): string | undefined {
    return this.#images.runtimeOf(pool.image);
  }

  async createPool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    const name = this.poolName(pool);
    if (name === undefined) {
      throw new QinlingError('INVALID_INPUT', `No runtime of this machine is meant by the image ${pool.image}.`);
    }
    const isAgentUp = () => this.poolNames().length > 0;
    await this.#waitFor(isAgentUp, signal);
    if (!this.poolNames().includes(name)) {
      throw new QinlingError('UNAVAILABLE', `This machine has no interpreter for the runtime ${name}.`);
    }
  }

  async updatePool(pool: PoolSpec, signal: AbortSignal): Promise<void> {
    await this.createPool(pool, signal);
  }

  async deletePool(): Promise<void> {
    // The agent's workers serve other runtimes too.
  }

  async lackingWorkers(): Promise<number> {
    return 0; // they are all there
  }

  async close(): Promise<void> {
    await this.#agent.stop();
  }

  #waitFor(isTrue: () => boolean, signal: AbortSignal): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        unwatch();
        signal.removeEventListener('abort', onAbort);
        end();
      };
      const unwatch = this.#links.watch(() => isTrue() && settle(resolve));
      const onAbort = () => settle(() => reject(new QinlingError('UNAVAILABLE', 'The agent is not connected.')));
      signal.addEventListener('abort', onAbort);
    });
  }
}

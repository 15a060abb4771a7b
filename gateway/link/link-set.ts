import { randomUUID } from 'node:crypto';
import { RETURN_GRACE_MS, SILENCE_MS } from '../../protocol/limits.ts';
import type { Hello } from '../../protocol/message.ts';
import { OLDEST_VERSION } from '../../protocol/version.ts';
import { TRUSTED_AGENT, type AgentIdentity } from './agent-identity.ts';
import { Link, LinkState, type LinkListener, type LinkSocket, type WorkerWatcher } from './link.ts';

const MAX_WORKERS = 1024;

export interface LinkSetOptions {
  readonly maxOutputBytes: number;
  /** Processes that run one worker's target at a time. */
  readonly concurrency: number;
  /** How long an agent that lost its socket may take to come back. */
  readonly returnGraceMs?: number;
}

/** Every agent that is connected, or that may come back. */
export class LinkSet {
  readonly #links = new Map<string, Link>();
  readonly #graceTimers = new Map<string, NodeJS.Timeout>();
  readonly #options: LinkSetOptions;
  readonly #watchers = new Set<() => void>();
  #listener: LinkListener | undefined;
  #workerWatcher: WorkerWatcher | undefined;

  constructor(options: LinkSetOptions) {
    this.#options = options;
  }

  /** Who is told of seats and unknown calls; set once, before the first agent. */
  listen(listener: LinkListener): void {
    this.#listener = listener;
  }

  /** Who makes the workers and is told what becomes of them; set once, before the first agent. */
  watchWorkers(watcher: WorkerWatcher): void {
    this.#workerWatcher = watcher;
  }

  /** Calls back when an agent came, returned or went; returns a function that ends it. */
  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  [Symbol.iterator](): IterableIterator<Link> {
    return this.#links.values();
  }

  /** The links that may serve a pool now. */
  *serving(poolName: string): IterableIterator<Link> {
    for (const link of this.#links.values()) if (link.isReady && link.pools.has(poolName)) yield link;
  }

  /** An agent said Hello. A process of the same name that is not this one is dead: its calls are lost. */
  welcome(socket: LinkSocket, hello: Hello, identity: AgentIdentity = TRUSTED_AGENT): Link {
    for (const other of this.#links.values()) {
      if (other.agentName === hello.agentName && other.instanceId !== hello.instanceId) this.#remove(other, 'replaced');
    }
    clearTimeout(this.#graceTimers.get(hello.instanceId));
    this.#graceTimers.delete(hello.instanceId);
    const known = this.#links.get(hello.instanceId);
    const link = known ?? new Link(hello, identity, this.#listener!, this.#workerWatcher);
    this.#links.set(hello.instanceId, link);
    link.attach(socket, hello, {
      sessionId: randomUUID(),
      silenceMs: SILENCE_MS,
      maxOutputBytes: this.#options.maxOutputBytes,
      concurrency: this.#options.concurrency,
    });
    this.#tellWatchers();
    return link;
  }

  /** A socket was lost: the agent has some time to come back. */
  socketLost(link: Link, socket: LinkSocket): void {
    const hasLeft = link.state === LinkState.Draining && link.pendingCount === 0;
    link.detach(socket);
    if (link.state !== LinkState.Away) return;
    if (hasLeft) return this.#remove(link, 'has left');
    const timer = setTimeout(
      () => this.#remove(link, 'did not come back'),
      this.#options.returnGraceMs ?? RETURN_GRACE_MS,
    );
    this.#graceTimers.set(link.instanceId, timer.unref());
    this.#tellWatchers();
  }

  /** The agent's process is known to be gone (its orchestrator saw it end). */
  agentGone(agentName: string): void {
    for (const link of this.#links.values())
      if (link.agentName === agentName) this.#remove(link, 'agent process ended');
  }

  /** True where the agent may have the package: it has been told to load a target of it. */
  mayFetch(agentName: string, digest: string): boolean {
    for (const link of this.#links.values()) if (link.agentName === agentName && link.mayFetch(digest)) return true;
    return false;
  }

  /** Lets go of all agents: they live on, and bring what they have to the next process. */
  leave(): void {
    this.#clearTimers();
    for (const link of this.#links.values()) link.leave('gateway is closing');
    this.#links.clear();
  }

  close(): void {
    this.#clearTimers();
    for (const link of [...this.#links.values()]) this.#remove(link, 'gateway is closing');
  }

  dump(): object {
    return [...this.#links.values()].map((link) => link.dump());
  }

  #clearTimers(): void {
    for (const timer of this.#graceTimers.values()) clearTimeout(timer);
    this.#graceTimers.clear();
  }

  #remove(link: Link, reason: string): void {
    clearTimeout(this.#graceTimers.get(link.instanceId));
    this.#graceTimers.delete(link.instanceId);
    this.#links.delete(link.instanceId);
    link.close(reason);
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    for (const onChange of this.#watchers) onChange();
  }
}

/** Why a Hello is refused, or undefined. */
export function refuseHello(hello: Hello, identity: AgentIdentity): string | undefined {
  if (hello.protocolVersion < OLDEST_VERSION) return `protocol version ${hello.protocolVersion} is too old`;
  if (hello.workerCount > MAX_WORKERS) return `more than ${MAX_WORKERS} workers`;
  if (hello.agentName === '' || hello.instanceId === '') return 'no name';
  if (identity.agentName !== undefined && identity.agentName !== hello.agentName) return 'not its name';
  const strange = hello.pools.find((pool) => !identity.mayServe(pool));
  if (strange !== undefined) return `it may not serve the pool ${strange}`;
  return undefined;
}

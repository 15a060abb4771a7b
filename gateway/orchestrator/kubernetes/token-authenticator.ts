import { createHash } from 'node:crypto';
import type { AgentAuthenticator, AgentIdentity } from '../../link/agent-identity.ts';
import { isNotFound, type KubernetesClient } from './client.ts';
import { runtimeIdOf, type PodObject } from './pod.ts';
import type { PodWatch } from './pod-watch.ts';

/** A yes is asked for again after this time, and holds on meanwhile: its pod is not known to be gone. */
const FRESH_MS = 60_000;
/** A no is not asked for again before. */
const REFUSED_MS = 5_000;
const MAX_TOKENS = 10_000;
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

export interface TokenAuthenticatorOptions {
  readonly namespace: string;
  readonly audience: string;
  /** Of the pods of pools. */
  readonly workerAccount: string;
  /** Of the agents of the DaemonSet. */
  readonly nodeAgentAccount: string;
  /** Runtimes that agents of the DaemonSet may offer. */
  readonly isNodeRuntime: (poolName: string) => boolean;
  readonly onWarning: (text: string) => void;
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  };
}

interface Reviewed {
  readonly identity: AgentIdentity | undefined;
  readonly podUid: string | undefined;
  readonly atMs: number;
}

/**
 * Knows agents by the token that the kubelet gave their pod. A worker may only serve the runtime that its pod's labels
 * tell; an agent of the DaemonSet only the runtimes of nodes.
 */
export class TokenAuthenticator implements AgentAuthenticator {
  readonly #client: KubernetesClient;
  readonly #pods: PodWatch;
  readonly #options: TokenAuthenticatorOptions;
  /** By the token's hash, in the order of their review. */
  readonly #reviewed = new Map<string, Reviewed>();
  readonly #reviews = new Map<string, Promise<Reviewed | undefined>>();

  constructor(client: KubernetesClient, pods: PodWatch, options: TokenAuthenticatorOptions) {
    this.#client = client;
    this.#pods = pods;
    this.#options = options;
  }

  async authenticate(authorization: string): Promise<AgentIdentity | undefined> {
    const [, token] = /^Bearer ([\w.-]{1,16384})$/.exec(authorization) ?? [];
    const expiresAtMs = token === undefined ? undefined : expiryOf(token);
    if (token === undefined || expiresAtMs === undefined || expiresAtMs <= Date.now()) return undefined;
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#reviewed.get(key);
    if (known?.identity !== undefined) {
      if (Date.now() - known.atMs >= FRESH_MS) void this.#reviewOnce(key, token); // a cold call does not wait for it
      return known.identity;
    }
    if (known !== undefined && Date.now() - known.atMs < REFUSED_MS) return undefined;
    return (await this.#reviewOnce(key, token))?.identity;
  }

  /** The pod is gone: its token proves nothing any more. */
  forget(podUid: string | undefined): void {
    for (const [key, reviewed] of this.#reviewed) if (reviewed.podUid === podUid) this.#reviewed.delete(key);
  }

  /** Undefined where the API server cannot be asked. */
  #reviewOnce(key: string, token: string): Promise<Reviewed | undefined> {
    let review = this.#reviews.get(key);
    if (review === undefined) {
      review = this.#review(token)
        .then((reviewed) => {
          this.#keep(key, reviewed);
          return reviewed;
        })
        .catch((error: unknown) => {
          this.#options.onWarning(`a token could not be reviewed: ${(error as Error).message}`);
          return undefined;
        })
        .finally(() => this.#reviews.delete(key));
      this.#reviews.set(key, review);
    }
    return review;
  }

  #keep(key: string, reviewed: Reviewed): void {
    this.#reviewed.delete(key);
    this.#reviewed.set(key, reviewed);
    const [oldest] = this.#reviewed.keys();
    if (this.#reviewed.size > MAX_TOKENS && oldest !== undefined) this.#reviewed.delete(oldest);
  }

  async #review(token: string): Promise<Reviewed> {
    const { audience, namespace, workerAccount, nodeAgentAccount } = this.#options;
    const { status } = await this.#client.create<TokenReview>('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    });
    const { username = '', extra = {} } = status?.user ?? {};
    const isOurs = status?.authenticated === true && status.audiences?.includes(audience) === true;
    const podName = extra[POD_NAME]?.[0];
    const podUid = extra[POD_UID]?.[0];
    let identity: AgentIdentity | undefined;
    if (isOurs && podName !== undefined && podUid !== undefined) {
      const account = `system:serviceaccount:${namespace}:`;
      if (username === account + workerAccount) identity = await this.#workerIdentity(podName, podUid);
      else if (username === account + nodeAgentAccount) identity = this.#nodeAgentIdentity(podName);
    }
    return { identity, podUid, atMs: Date.now() };
  }

  async #workerIdentity(podName: string, podUid: string): Promise<AgentIdentity | undefined> {
    const pod = await this.#readPod(podName, podUid);
    const runtimeId = pod === undefined ? undefined : runtimeIdOf(pod); // also while it ends: it may bring results
    if (runtimeId === undefined) return undefined;
    return { agentName: podName, mayServe: (poolName) => poolName === runtimeId, isSingleUse: true };
  }

  #nodeAgentIdentity(agentName: string): AgentIdentity {
    return { agentName, mayServe: this.#options.isNodeRuntime, isSingleUse: false };
  }

  /** The watch may be a moment behind. */
  async #readPod(name: string, uid: string): Promise<PodObject | undefined> {
    const seen = this.#pods.find(name);
    if (seen?.metadata.uid === uid) return seen;
    try {
      const pod = await this.#client.get<PodObject>(`/api/v1/namespaces/${this.#options.namespace}/pods/${name}`);
      return pod.metadata.uid === uid ? pod : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

/** When a token ends, from its own words: only to forget it in time, it proves nothing. */
function expiryOf(token: string): number | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
    return typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

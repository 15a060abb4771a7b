import { createHash, timingSafeEqual } from 'node:crypto';

/** Who an agent has proved to be, and so what it may say of itself. */
export interface AgentIdentity {
  /** The only name that it may have; undefined: any. */
  readonly agentName: string | undefined;
  readonly mayServe: (poolName: string) => boolean;
  /** Its worker serves one target, and is replaced with its pod afterwards. */
  readonly isSingleUse: boolean;
}

/** Proves agents by the `Authorization` header of their requests. */
export interface AgentAuthenticator {
  /** Undefined for whoever is none. Never rejects. */
  authenticate(authorization: string): AgentIdentity | undefined | Promise<AgentIdentity | undefined>;
}

/** An agent that shares a secret with us. */
export const TRUSTED_AGENT: AgentIdentity = { agentName: undefined, mayServe: () => true, isSingleUse: false };

/** Knows agents by one shared bearer token, compared in constant time. */
export class SecretAuthenticator implements AgentAuthenticator {
  readonly #expected: Buffer;

  constructor(token: string) {
    this.#expected = digest(`Bearer ${token}`);
  }

  authenticate(authorization: string): AgentIdentity | undefined {
    return timingSafeEqual(digest(authorization), this.#expected) ? TRUSTED_AGENT : undefined;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

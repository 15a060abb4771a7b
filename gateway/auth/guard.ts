import { NOBODY, type Access, type Identity } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import { NoneAuthenticator } from './none/none-authenticator.ts';
import { OPEN_POLICY, type Policy } from './policy.ts';
import type { RuleName } from './rules.ts';

/** The door of the API: who asks, and what that lets the operation touch. */
export class Guard {
  readonly #authenticator: Authenticator;
  readonly #policy: Policy;

  constructor(authenticator: Authenticator, policy: Policy) {
    this.#authenticator = authenticator;
    this.#policy = policy;
  }

  /** What `WWW-Authenticate` of a 401 says. */
  get challenge(): string {
    return this.#authenticator.challenge;
  }

  /**
   * Hot. At once, or a promise. `rule` undefined: only who asks is found out. Throws (or rejects with) what the
   * authenticator throws, and NOT_ALLOWED.
   */
  admit(rule: RuleName | undefined, headers: ReadonlyMap<string, string>): Access | Promise<Access> {
    if (rule === 'public') return this.#policy.access(NOBODY, rule);
    const identity = this.#authenticator.authenticate(headers);
    if (identity instanceof Promise) return identity.then((found) => this.#access(found, rule));
    return this.#access(identity, rule);
  }

  /** What another rule lets the same caller touch; throws NOT_ALLOWED. */
  accessBy(rule: RuleName, caller: Access): Access {
    return this.#policy.access(caller, rule);
  }

  /** Reads again what people may have changed; what is wrong then is told to the log. */
  reload(): void {
    this.#authenticator.reload();
  }

  /** May be called twice. */
  close(): void {
    this.#authenticator.close();
  }

  #access(identity: Identity, rule: RuleName | undefined): Access {
    return rule === undefined ? NOBODY : this.#policy.access(identity, rule);
  }
}

/** While authentication is off. */
export const OPEN_GUARD = new Guard(new NoneAuthenticator(), OPEN_POLICY);

import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Identity } from '../access.ts';
import { proofMissing, proofWrong } from '../authenticator.ts';
import type { StaticUser } from './credentials-file.ts';
import type { HashingLine } from './hashing-line.ts';
import { decoyHash, isPassword, type PasswordHash } from './password-hash.ts';
import { hashToken } from './token.ts';

/** Proofs that are remembered, right and wrong ones each. */
const MAX_REMEMBERED = 1_000;
const MAX_PASSWORD_BYTES = 1_024;
/** Of those whom nobody knows. No user's name holds a colon. */
const UNKNOWN_LANE = ':unknown';

/** The users of one reading of the file; another reading makes another object, so that nothing old is remembered. */
export class Credentials {
  readonly #byName: ReadonlyMap<string, StaticUser>;
  readonly #byToken: ReadonlyMap<string, Identity>;
  readonly #line: HashingLine;
  readonly #decoy: PasswordHash;
  /** Keys of what is remembered are hashes with a salt of this process: no secret stays in memory. */
  readonly #salt = randomBytes(16).toString('hex');
  readonly #right = new LRUCache<string, Identity>({ max: MAX_REMEMBERED });
  /** So that a program with an old password is cheap too; apart, so that guesses push no right one out. */
  readonly #wrong = new LRUCache<string, true>({ max: MAX_REMEMBERED });
  /** Checks under way: the same proof is checked once, however many requests bring it. */
  readonly #checks = new Map<string, Promise<Identity>>();

  constructor(users: readonly StaticUser[], line: HashingLine) {
    this.#byName = new Map(users.map((user) => [user.name, user]));
    this.#byToken = new Map(
      users.flatMap(({ identity, tokenHashes }) => tokenHashes.map((token) => [token, identity])),
    );
    this.#decoy = decoyHash(users.find(({ passwordHash }) => passwordHash !== undefined)?.passwordHash);
    this.#line = line;
  }

  /** Hot. Throws UNAUTHENTICATED. */
  byToken(token: string): Identity {
    const identity = this.#byToken.get(hashToken(token));
    if (identity === undefined) throw proofWrong();
    return identity;
  }

  /** Hot once it is known. By the value of an `Authorization` header. Throws UNAUTHENTICATED, TOO_BUSY. */
  byAuthorization(authorization: string): Identity | Promise<Identity> {
    const key = hash('sha256', this.#salt + authorization, 'base64');
    const known = this.#right.get(key);
    if (known !== undefined) return known;
    if (this.#wrong.has(key)) throw proofWrong();
    let check = this.#checks.get(key);
    if (check === undefined) {
      check = this.#check(authorization, key).finally(() => this.#checks.delete(key));
      this.#checks.set(key, check);
    }
    return check;
  }

  async #check(authorization: string, key: string): Promise<Identity> {
    const { name, password } = parseBasic(authorization);
    const user = this.#byName.get(name);
    const passwordHash = user?.passwordHash;
    const lane = passwordHash === undefined ? UNKNOWN_LANE : name;
    const isRight = await this.#line.run(lane, () => isPassword(password, passwordHash ?? this.#decoy));
    if (user === undefined || passwordHash === undefined || !isRight) {
      this.#wrong.set(key, true);
      throw proofWrong();
    }
    this.#right.set(key, user.identity);
    return user.identity;
  }
}

/** Throws UNAUTHENTICATED. */
function parseBasic(authorization: string): { name: string; password: string } {
  const [, base64 = ''] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization) ?? [];
  const text = Buffer.from(base64, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) throw proofMissing(); // another scheme
  const password = text.slice(colon + 1);
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) throw proofWrong();
  return { name: text.slice(0, colon), password };
}

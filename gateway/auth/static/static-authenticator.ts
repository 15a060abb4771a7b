import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Identity } from '../access.ts';
import { proofMissing, type Authenticator } from '../authenticator.ts';
import { readCredentialsFile } from './credentials-file.ts';
import { Credentials } from './credentials.ts';
import { HashingLine } from './hashing-line.ts';

const LOOK_INTERVAL_MS = 2_000;
const READABLE_BY_OTHERS = 0o004;

export interface StaticAuthenticatorLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * Users of a file: `X-Auth-Token` with one of their tokens, or `Authorization: Basic` with name and password. The file
 * is read again when it changes; who is not in it any more is refused from then on.
 */
export class StaticAuthenticator implements Authenticator {
  readonly challenge = 'Basic realm="Qinling", charset="UTF-8"';
  readonly #path: string;
  readonly #log: StaticAuthenticatorLog;
  /** Half of the processors and of the threads at most: the rest goes on with the service. */
  readonly #line = new HashingLine(Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2))));
  readonly #timer: NodeJS.Timeout;
  #credentials: Credentials;
  #stamp: string;

  /** Throws ConfigError with every fault of the file. */
  constructor(path: string, log: StaticAuthenticatorLog) {
    this.#path = path;
    this.#log = log;
    this.#stamp = stampOf(path);
    this.#credentials = new Credentials(readCredentialsFile(path), this.#line);
    if ((statSync(path).mode & READABLE_BY_OTHERS) !== 0) log.warn(`${path} can be read by everybody on this machine`);
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  authenticate(headers: ReadonlyMap<string, string>): Identity | Promise<Identity> {
    const token = headers.get('x-auth-token');
    if (token !== undefined && token !== '') return this.#credentials.byToken(token);
    const authorization = headers.get('authorization');
    if (authorization === undefined || authorization === '') throw proofMissing();
    return this.#credentials.byAuthorization(authorization);
  }

  reload(): void {
    this.#stamp = stampOf(this.#path); // before it is read: a change in between is seen the next time
    try {
      const users = readCredentialsFile(this.#path);
      this.#credentials = new Credentials(users, this.#line);
      this.#log.info(`${this.#path} was read again (users: ${users.length})`);
    } catch (error) {
      const faults = error instanceof Error ? error.message : String(error);
      this.#log.error(`the users stay as they were, for the file has faults:\n${faults}`);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (stampOf(this.#path) !== this.#stamp) this.reload();
  }
}

/** Changes with the file; the system's own messages of changes miss files that are linked from elsewhere. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return ''; // who reads it tells why
  }
}

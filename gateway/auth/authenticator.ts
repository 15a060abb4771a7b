import { QinlingError } from '../errors.ts';
import type { Identity } from './access.ts';

/** Tells by the headers of a request who asks. */
export interface Authenticator {
  /** What `WWW-Authenticate` of a 401 says: how to prove oneself here. */
  readonly challenge: string;
  /**
   * Hot. At once where it can be told at once, or a promise. Header names are in lower case. Throws (or rejects with)
   * UNAUTHENTICATED for a missing or wrong proof, TOO_BUSY or UNAVAILABLE where that cannot be found out now; no message
   * repeats what was sent. The same proof should give the same object: what policy decides is remembered by it.
   */
  authenticate(headers: ReadonlyMap<string, string>): Identity | Promise<Identity>;
  /** Reads again what people may have changed. Never throws: what is wrong is told to the log, and nothing changes. */
  reload(): void;
  /** May be called twice. */
  close(): void;
}

export function proofMissing(): QinlingError {
  return new QinlingError('UNAUTHENTICATED', 'The request requires authentication.');
}

export function proofWrong(): QinlingError {
  return new QinlingError('UNAUTHENTICATED', 'The credentials of the request are not valid.');
}

import { hash, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;
const PREFIX = 'qinling_';

/**
 * Tokens are made by us and hold 256 random bits: they cannot be guessed, so that one fast hash keeps them safe in the
 * file, and a wrong one costs nothing.
 */
export function newToken(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
}

/** Hot. What is kept of a token, and what it is found by: who looks a hash up learns nothing from the time it takes. */
export function hashToken(token: string): string {
  return `sha256:${hash('sha256', token, 'hex')}`;
}

export function isTokenHash(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashPassword } from '../../gateway/auth/static/password-hash.ts';
import { hashToken, newToken } from '../../gateway/auth/static/token.ts';

/** A quick hash: tests check many. */
const QUICK = { logN: 4, r: 8, p: 1 };

export interface KnownUser {
  readonly name: string;
  readonly project: string;
  readonly roles: readonly string[];
  readonly password: string;
  readonly token: string;
}

export function knownUser(name: string, project: string, ...roles: readonly string[]): KnownUser {
  return { name, project, roles, password: `password of ${name}: à`, token: newToken() };
}

/** Writes a credentials file of users who have a password and a token each; its path. */
export async function writeCredentials(folder: string, users: readonly KnownUser[]): Promise<string> {
  const entries = users.map(async ({ name, project, roles, password, token }) => ({
    name,
    project,
    ...(roles.length === 0 ? undefined : { roles }),
    password: await hashPassword(password, QUICK),
    tokens: [hashToken(token)],
  }));
  const path = join(folder, 'credentials.json');
  writeFileSync(path, JSON.stringify({ users: await Promise.all(entries) }), { mode: 0o600 });
  return path;
}

export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

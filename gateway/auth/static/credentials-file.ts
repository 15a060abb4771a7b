import { ConfigError } from '../../config/config-error.ts';
import { readDocumentFile } from '../../config/document-file.ts';
import type { Identity } from '../access.ts';
import { parsePasswordHash, type PasswordHash } from './password-hash.ts';
import { isTokenHash } from './token.ts';

/** Somebody whom the file names, and how he proves it. */
export interface StaticUser {
  readonly identity: Identity;
  readonly name: string;
  readonly passwordHash: PasswordHash | undefined;
  /** As `hashToken` makes them. */
  readonly tokenHashes: readonly string[];
}

const MAX_USERS = 10_000;
const MAX_NAME = 255;
const MAX_PROJECT = 80;
const MAX_LIST = 100;
const DEFAULT_ROLES: readonly string[] = ['member'];
const KEYS = new Set(['name', 'project', 'roles', 'password', 'tokens']);

/**
 * The users of a credentials file (YAML or JSON):
 *
 *   users:
 *     - name: alice
 *       project: demo
 *       roles: [member]                       # this if left out
 *       password: $scrypt$ln=15,r=8,p=3$…     # as `hash-password` prints it
 *       tokens: ['sha256:…']                  # as `new-token` prints them
 *
 * Throws ConfigError with every fault; none shows a secret.
 */
export function readCredentialsFile(path: string): StaticUser[] {
  const document = readDocumentFile(path);
  const faults: string[] = [];
  const users = isObject(document) ? document['users'] : undefined;
  if (!Array.isArray(users) || users.length === 0) faults.push('must hold a list of users');
  else if (users.length > MAX_USERS) faults.push(`has more than ${MAX_USERS} users`);
  else if (Object.keys(document as object).length > 1) faults.push('may hold nothing beside the list of users');
  const read = faults.length > 0 ? [] : (users as unknown[]).map((entry, index) => readUser(entry, index, faults));
  faults.push(...repeated(read));
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `${path}: ${fault}`).join('\n'));
  return read;
}

function readUser(entry: unknown, index: number, faults: string[]): StaticUser {
  const values = isObject(entry) ? entry : {};
  const name = isText(values['name'], MAX_NAME) ? values['name'] : '';
  const fault = (what: string) => faults.push(`users[${index}]${name === '' ? '' : ` (${name})`}: ${what}`);
  if (!isObject(entry)) fault('must have name, project and a password or tokens');
  else if (name === '' || /[:\p{Cc}]/u.test(name)) fault(`name: must be text of 1 to ${MAX_NAME} characters, no colon`);
  for (const key of Object.keys(values)) if (!KEYS.has(key)) fault(`${key.slice(0, 100)}: there is no such key`);
  const { project, roles = DEFAULT_ROLES, password, tokens = [] } = values;
  if (!isText(project, MAX_PROJECT)) fault(`project: must be text of 1 to ${MAX_PROJECT} characters`);
  if (!isTextList(roles)) fault('roles: must be a list of texts');
  if (!isTextList(tokens) || !tokens.every(isTokenHash))
    fault('tokens: must be a list of hashes, as new-token prints them');
  const passwordHash = typeof password === 'string' ? parsePasswordHash(password) : undefined;
  if (password !== undefined && passwordHash === undefined)
    fault('password: must be a hash, as hash-password prints it');
  if (password === undefined && isTextList(tokens) && tokens.length === 0) fault('has neither a password nor tokens');
  return {
    identity: Object.freeze({ userId: name, projectId: String(project), roles: isTextList(roles) ? roles : [] }),
    name,
    passwordHash,
    tokenHashes: isTextList(tokens) ? tokens : [],
  };
}

/** Names and tokens that would not tell who asks. */
function repeated(users: readonly StaticUser[]): string[] {
  const faults: string[] = [];
  const owners = new Map<string, string>();
  for (const { name, tokenHashes } of users) {
    if (owners.has(`name ${name}`) && name !== '') faults.push(`${name}: two users have this name`);
    owners.set(`name ${name}`, name);
    for (const token of tokenHashes) {
      const owner = owners.get(token);
      if (owner !== undefined) faults.push(`${name}: has a token that is listed already (${owner})`);
      owners.set(token, name);
    }
  }
  return faults;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxLength;
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_LIST && value.every((item) => isText(item, MAX_NAME));
}

import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';

const scryptAsync = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** What it costs to try one password: 32 MiB, and a quarter of a second of one core. */
const COST: Cost = { logN: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Hashes that others made may be dearer, up to this memory and eight times our time. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
const MAX_WORK = 8 * 2 ** COST.logN * COST.r * COST.p;

/** The parameters of scrypt. */
interface Cost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** What is kept of a password. */
export interface PasswordHash extends Cost {
  readonly salt: Buffer;
  readonly key: Buffer;
}

/** `$scrypt$ln=15,r=8,p=3$SALT$KEY`, salt and key in base64: the usual form of such hashes. */
export async function hashPassword(password: string, cost: Cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, { ...cost, salt }, KEY_BYTES);
  return `$scrypt$ln=${cost.logN},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(key)}`;
}

const FORM =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{8,86})={0,2}\$([A-Za-z0-9+/]{22,86})={0,2}$/;

/** Undefined for what is no such hash, or one that would cost too much to check. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const [, logN, r, p, salt, key] = FORM.exec(text) ?? [];
  if (salt === undefined || key === undefined) return undefined;
  const hash = {
    logN: Number(logN),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64'),
    key: Buffer.from(key, 'base64'),
  };
  const work = 2 ** hash.logN * hash.r * hash.p;
  const isUsable = hash.logN > 0 && work > 0 && work <= MAX_WORK && memoryOf(hash) <= MAX_MEMORY_BYTES;
  return isUsable ? hash : undefined;
}

/** A hash of no password, as dear as another: to check against where there is no user, so that this takes as long. */
export function decoyHash({ logN, r, p }: Cost = COST): PasswordHash {
  return { logN, r, p, salt: randomBytes(SALT_BYTES), key: randomBytes(KEY_BYTES) };
}

/** Slow on purpose, on another thread. */
export async function isPassword(password: string, hash: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, hash, hash.key.length), hash.key);
}

function derive(password: string, hash: Omit<PasswordHash, 'key'>, bytes: number): Promise<Buffer> {
  const { logN, r, p, salt } = hash;
  return scryptAsync(password, salt, bytes, { N: 2 ** logN, r, p, maxmem: 2 * memoryOf(hash) });
}

function memoryOf({ logN, r, p }: Cost): number {
  return 128 * r * (2 ** logN + p);
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}

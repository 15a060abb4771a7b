import { randomFillSync } from 'node:crypto';

/**
 * Execution ids: UUIDs of version 7 (RFC 9562) whose leading bits are the store's integer key, so that look-up by id,
 * order of creation and retention by age need no index of their own.
 *
 *   48 bits: milliseconds since 1970 | 4: version | 12: counter within the millisecond | 2: variant | 62: random
 *
 * key = (milliseconds - KEY_EPOCH_MS) * 4096 + counter, below 2^53 until 2089.
 *
 * Several gateways may make ids for one store: each counts in steps of GATEWAY_NUMBERS, beginning with its own number, so
 * that no two have the same key.
 */
const KEY_EPOCH_MS = Date.UTC(2020, 0, 1);
const COUNTER_VALUES = 4096;
export const GATEWAY_NUMBERS = 32;
const RANDOM_POOL_BYTES = 4096;
const RANDOM_BYTES = 8;

/** Makes ids that rise strictly, also when the clock stands still or goes back. One per process. */
export class ExecutionIds {
  /** This gateway's among those that share the store. */
  #gatewayNumber: number;
  readonly #random = Buffer.alloc(RANDOM_POOL_BYTES);
  #randomOffset = RANDOM_POOL_BYTES;
  #lastMs = 0;
  #counter = 0;

  constructor(gatewayNumber = 0) {
    this.#gatewayNumber = gatewayNumber;
  }

  set gatewayNumber(number: number) {
    if (number === this.#gatewayNumber) return;
    this.#gatewayNumber = number;
    this.#lastMs++; // rising still
    this.#counter = number;
  }

  /** Hot. A new id, greater than every id made before by this object. */
  next(nowMs: number): string {
    this.#counter += GATEWAY_NUMBERS;
    if (nowMs > this.#lastMs) {
      this.#lastMs = nowMs;
      this.#counter = this.#gatewayNumber;
    } else if (this.#counter >= COUNTER_VALUES) {
      this.#lastMs++;
      this.#counter = this.#gatewayNumber;
    }
    const time = this.#lastMs.toString(16).padStart(12, '0');
    const counter = this.#counter.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${this.#randomTail()}`;
  }

  #randomTail(): string {
    if (this.#randomOffset === RANDOM_POOL_BYTES) {
      randomFillSync(this.#random);
      this.#randomOffset = 0;
    }
    const start = this.#randomOffset;
    this.#randomOffset += RANDOM_BYTES;
    this.#random[start] = (this.#random[start]! & 0x3f) | 0x80;
    const hex = this.#random.toString('hex', start, start + RANDOM_BYTES);
    return `${hex.slice(0, 4)}-${hex.slice(4)}`;
  }
}

/** The integer key that an id carries; NaN where the text is no id of ours. */
export function executionKey(id: string): number {
  if (id.length !== 36 || id[14] !== '7') return Number.NaN;
  const ms = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  const counter = Number.parseInt(id.slice(15, 18), 16);
  return (ms - KEY_EPOCH_MS) * COUNTER_VALUES + counter;
}

/** The least key that an id made at that time can carry. */
export function firstKeyAt(timeMs: number): number {
  return (timeMs - KEY_EPOCH_MS) * COUNTER_VALUES;
}

/** The random rest of an id: what the store keeps beside the key. */
export function executionTail(id: string): string {
  return id.slice(19);
}

/** The id of a key and its random rest. */
export function executionId(key: number, tail: string): string {
  const time = (Math.floor(key / COUNTER_VALUES) + KEY_EPOCH_MS).toString(16).padStart(12, '0');
  const counter = (key % COUNTER_VALUES).toString(16).padStart(3, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${tail}`;
}

import type { ExecutionRecord } from '../store/store.ts';

const NO_INPUT = new Uint8Array();

/** Hot. What an agent gets as input. */
export function inputBytes({ input }: ExecutionRecord): Uint8Array {
  return input === null ? NO_INPUT : Buffer.from(input);
}

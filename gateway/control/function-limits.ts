import { invalidInput } from '../errors.ts';

export interface Range {
  readonly usual: number;
  readonly least: number;
  readonly most: number;
}

/** What a function may ask for: millicpu, bytes, seconds. */
export interface ResourceLimits {
  readonly cpu: Range;
  readonly memory: Range;
  readonly timeout: Range;
}

const UNITS = { cpu: 'millicpu', memory: 'bytes', timeout: 'seconds' } as const;
type Resource = keyof typeof UNITS;

/** A function's limit as a number in its range; numbers and decimal text are taken. Throws INVALID_INPUT. */
export function parseLimit(resource: Resource, given: unknown, limits: ResourceLimits): number {
  const isText = typeof given === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(given);
  const value = isText ? Number(given) : given;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw invalidInput(`Invalid ${resource} resource specified. An integer is required.`);
  }
  const { least, most } = limits[resource];
  if (value < least || value > most) {
    const range = `${least} ~ ${most}(${UNITS[resource]})`;
    throw invalidInput(`${resource} resource limitation not within the allowable range: ${range}.`);
  }
  return value;
}

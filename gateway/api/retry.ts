import type { RetryPolicy } from '../store/attempts.ts';
import { wrongValue } from './fields.ts';
import type { JsonSchema } from './resources/declaration.ts';

/** The attribute `retry` of a function: a JSON object or its text, bounded; an empty object takes a policy away. */
const MAX_TEXT_LENGTH = 1_000;
const DAY_SECONDS = 86_400;

interface Member {
  readonly type: 'integer' | 'number';
  readonly minimum: number;
  readonly maximum: number;
  readonly default?: number;
  readonly description: string;
}

const MEMBERS = {
  max_attempts: { type: 'integer', minimum: 1, maximum: 10, description: 'Attempts at most, with the first one.' },
  backoff: {
    type: 'number',
    minimum: 0,
    maximum: 3_600,
    default: 1,
    description: 'Seconds between the end of the first attempt and the second one.',
  },
  backoff_rate: {
    type: 'number',
    minimum: 1,
    maximum: 10,
    default: 2,
    description: 'Each further pause is so many times the one before.',
  },
  max_backoff: {
    type: 'number',
    minimum: 0,
    maximum: DAY_SECONDS,
    default: 3_600,
    description: 'Seconds that a pause is at most.',
  },
} as const satisfies Readonly<Record<string, Member>>;

export const RETRY_SCHEMA: JsonSchema = {
  type: ['object', 'string'],
  properties: MEMBERS,
  additionalProperties: false,
};

/** Null for an empty object: run once. Throws INVALID_INPUT. */
export function parseRetry(value: unknown, attribute: string): RetryPolicy | null {
  const wrong = (why: string): Error => wrongValue(attribute, value, why);
  const object = toObject(value, wrong);
  const names = Object.keys(object);
  if (names.length === 0) return null;
  const unknown = names.find((name) => !Object.hasOwn(MEMBERS, name));
  if (unknown !== undefined) throw wrong(`It holds ${Object.keys(MEMBERS).join(', ')} and nothing else.`);
  const read = (name: keyof typeof MEMBERS): number => {
    const { type, minimum, maximum, ...rest }: Member = MEMBERS[name];
    const number = object[name] ?? rest.default;
    const isRight = typeof number === 'number' && (type === 'number' || Number.isInteger(number));
    if (!isRight || number < minimum || number > maximum) {
      throw wrong(`${name} should be ${type === 'integer' ? 'an integer' : 'a number'}, ${minimum} to ${maximum}.`);
    }
    return number;
  };
  return {
    maxAttempts: read('max_attempts'),
    backoffSeconds: read('backoff'),
    backoffRate: read('backoff_rate'),
    maxBackoffSeconds: read('max_backoff'),
  };
}

export function renderRetry(policy: RetryPolicy): object {
  return {
    max_attempts: policy.maxAttempts,
    backoff: policy.backoffSeconds,
    backoff_rate: policy.backoffRate,
    max_backoff: policy.maxBackoffSeconds,
  };
}

function toObject(value: unknown, wrong: (why: string) => Error): Readonly<Record<string, unknown>> {
  let object = value;
  if (typeof value === 'string') {
    if (value.length > MAX_TEXT_LENGTH) throw wrong(`Value should have a maximum length of ${MAX_TEXT_LENGTH}.`);
    try {
      object = JSON.parse(value);
    } catch {
      throw wrong('Wrong type. Expected a JSON object.');
    }
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw wrong('Wrong type. Expected a JSON object.');
  }
  return object as Readonly<Record<string, unknown>>;
}

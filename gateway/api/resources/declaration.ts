import { invalidInput } from '../../errors.ts';
import { MAX_SHOWN, parseBoolean, parseInteger, parseText, parseUuid, wrongValue } from '../fields.ts';

/**
 * What a resource looks like, said once: bodies are read by it, messages are made of it, and so is the description that
 * `GET /v1/openapi.json` gives.
 */

/** A schema of OpenAPI 3.1. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** When a caller may set an attribute; `never`: only we do. One that may be set at the other moment only is ignored. */
export type SetOn = 'create' | 'change' | 'both' | 'never';

/** A limit of functions whose range the configuration sets. */
export type LimitName = 'cpu' | 'memory' | 'timeout';

export interface Attribute<T = unknown> {
  /** What answers hold. */
  readonly schema: JsonSchema;
  /** What bodies may hold, null aside, which is the same as nothing. */
  readonly input: JsonSchema;
  readonly setOn: SetOn;
  /** True if an answer may hold null. */
  readonly isNullable: boolean;
  /** True if an answer holds it only where it is set. */
  readonly isOptional: boolean;
  /** True if a body that creates must have it. */
  readonly isRequired: boolean;
  /** True if no answer holds it. */
  readonly isWriteOnly: boolean;
  /** True if it is a file of a multipart form. */
  readonly isFile: boolean;
  /** What counts where nothing is given; for the description only. */
  readonly default?: unknown;
  readonly limit?: LimitName;
  readonly help: string;
  /** The checked value; throws INVALID_INPUT with the text that clients of the original know. */
  readonly parse: (value: unknown, name: string) => T;
}

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Resource<A extends Attributes = Attributes> {
  /** Its name in messages: 'runtime'. */
  readonly name: string;
  /** Its name as a type of answers: 'Runtime'. */
  readonly title: string;
  /** The key of its lists: 'runtimes'. */
  readonly listKey: string;
  readonly help: string;
  /** True where attributes that are unknown or not to be set are ignored, not refused: clients send more than we take. */
  readonly isLenient?: boolean;
  readonly attributes: A;
  /** What looks different in lists. */
  readonly inLists?: Attributes;
}

/** The attributes that a body gave, checked; null is the same as absent. */
export type Given<A extends Attributes> = {
  readonly [K in keyof A]: A[K] extends Attribute<infer T> ? T | undefined : never;
};

export interface AttributeOptions {
  readonly help: string;
  readonly setOn?: SetOn;
  readonly isNullable?: boolean;
  readonly isOptional?: boolean;
  readonly isRequired?: boolean;
  readonly isWriteOnly?: boolean;
  readonly default?: unknown;
}

/** `input`: what bodies may hold, where that is more than answers hold. */
function attribute<T>(
  schema: JsonSchema,
  options: AttributeOptions,
  parse: Attribute<T>['parse'],
  input: JsonSchema = schema,
): Attribute<T> {
  const flags = { isNullable: false, isOptional: false, isRequired: false, isWriteOnly: false, isFile: false };
  return { ...flags, setOn: 'never', ...options, schema, input, parse };
}

/** `maxLength` in characters; none: any length. */
export function text(options: AttributeOptions & { readonly maxLength?: number }): Attribute<string> {
  const { maxLength, ...others } = options;
  const schema = { type: 'string', ...(maxLength === undefined ? undefined : { maxLength }) };
  return attribute(schema, others, (value, name) => parseText(value, name, maxLength ?? Infinity));
}

export function choice<T extends string>(values: readonly T[], options: AttributeOptions): Attribute<T> {
  return attribute({ type: 'string', enum: values }, options, (value, name) => {
    if (!values.includes(value as T)) throw wrongValue(name, value, `Value should be one of: ${values.join(', ')}.`);
    return value as T;
  });
}

/** Also as decimal text. */
export function integer(
  options: AttributeOptions & { readonly min?: number; readonly max?: number },
): Attribute<number> {
  const { min, max, ...others } = options;
  const schema = {
    type: 'integer',
    ...(min === undefined ? undefined : { minimum: min }),
    ...(max === undefined ? undefined : { maximum: max }),
  };
  const parse = (value: unknown, name: string): number => {
    const number = parseInteger(value, name);
    if (min !== undefined && number < min) throw wrongValue(name, value, `Value should be ${min} or more.`);
    if (max !== undefined && number > max) throw wrongValue(name, value, `Value should be ${max} or less.`);
    return number;
  };
  return attribute(schema, others, parse, orDecimalText(schema));
}

/** A limit of functions, in the range of the configuration: who has that checks it. Also as decimal text. */
export function limit(name: LimitName, options: AttributeOptions): Attribute {
  const schema = { type: 'integer' };
  return { ...attribute(schema, options, (value) => value, orDecimalText(schema)), limit: name };
}

/** Also as a number, or as one of the usual words. */
export function boolean(options: AttributeOptions): Attribute<boolean> {
  return attribute({ type: 'boolean' }, options, parseBoolean, { type: ['boolean', 'string', 'number'] });
}

export function uuid(options: AttributeOptions): Attribute<string> {
  return attribute({ type: 'string', format: 'uuid' }, options, parseUuid);
}

/** A point in time: `YYYY-MM-DDTHH:MM:SSZ` in answers. Who reads one from callers says how. */
export function time(options: AttributeOptions, parse: Attribute['parse'] = neverRead): Attribute {
  return attribute({ type: 'string', format: 'date-time' }, options, parse, { type: 'string' });
}

/** Anything else; it is checked where it is used. `input` as for every attribute. */
export function json(schema: JsonSchema, options: AttributeOptions, input: JsonSchema = schema): Attribute {
  return attribute(schema, options, (value) => value, input);
}

/** A file of a multipart form, of a media type. */
export function file(mediaType: string, options: AttributeOptions): Attribute {
  const schema = { contentMediaType: mediaType };
  return { ...attribute(schema, options, (value) => value), isFile: true, isWriteOnly: true };
}

function orDecimalText(schema: JsonSchema): JsonSchema {
  return { ...schema, type: ['integer', 'string'], pattern: '^\\s*[+-]?\\d{1,15}\\s*$' };
}

function neverRead(value: unknown, name: string): never {
  throw wrongValue(name, value, 'Cannot set read only field.');
}

/** Attributes that every resource has, and that only we set. */
export const COMMON = {
  id: uuid({ help: 'Made by the service.' }),
  project_id: text({ maxLength: 80, help: 'The project that it belongs to.' }),
  created_at: time({ help: 'When it was created, UTC.' }),
  updated_at: time({ help: 'When it was changed last; null until the first change.', isNullable: true }),
} as const;

/**
 * The attributes of a body. Throws INVALID_INPUT for one that is unknown, that only we set, whose value is wrong or that
 * is missing; what may be set only at the other moment is ignored.
 */
export function readBody<A extends Attributes>(
  resource: Resource<A>,
  body: Readonly<Record<string, unknown>>,
  on: 'create' | 'change',
): Given<A> {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(body)) {
    const value = body[name];
    const found = Object.hasOwn(resource.attributes, name) ? resource.attributes[name] : undefined;
    if (found === undefined || found.setOn === 'never') {
      if (resource.isLenient === true) continue;
      if (found !== undefined) throw wrongValue(name, value, 'Cannot set read only field.');
      throw invalidInput(`Unknown attribute for argument ${resource.name}: ${name.slice(0, MAX_SHOWN)}`);
    }
    if (found.setOn !== 'both' && found.setOn !== on) continue;
    if (value !== null && value !== undefined) given[name] = found.parse(value, name);
  }
  if (on === 'create') for (const name of requiredOf(resource)) if (given[name] === undefined) throw missing(resource);
  return given as Given<A>;
}

const requiredNames = new WeakMap<Resource, readonly string[]>();

/** The attributes without which nothing is created. */
export function requiredOf(resource: Resource): readonly string[] {
  let names = requiredNames.get(resource);
  if (names === undefined) {
    names = Object.keys(resource.attributes).filter((name) => resource.attributes[name]!.isRequired);
    requiredNames.set(resource, names);
  }
  return names;
}

/** The 400 of a body without an attribute that it must have, in the words of the original. */
export function missing(resource: Resource): Error {
  const names = requiredOf(resource).map((name) => `'${name}'`);
  return invalidInput(`Required param is missing. Required: {${names.join(', ')}}`);
}

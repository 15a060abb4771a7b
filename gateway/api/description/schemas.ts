import type { Range, ResourceLimits } from '../../control/function-limits.ts';
import { requiredOf, type Attribute, type JsonSchema, type Resource } from '../resources/declaration.ts';

/** Schemas of what answers and bodies hold, made of the declarations that read and check them. */

const WITHOUT_EFFECT = { 'x-without-effect': true, description: 'Taken, but without effect.' };

/** The same with null. */
function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values } = schema;
  if (Object.keys(schema).length === 0) return schema; // anything
  if (type === undefined) return { anyOf: [schema, { type: 'null' }] };
  const nullable = { ...schema, type: [...[type].flat(), 'null'] };
  return values === undefined ? nullable : { ...nullable, enum: [...(values as unknown[]), null] };
}

/** A record as answers show it. */
export function answerSchema({ help, attributes }: Pick<Resource, 'help' | 'attributes'>): JsonSchema {
  const shown = Object.entries(attributes).filter(([, { isWriteOnly }]) => !isWriteOnly);
  const required = shown.filter(([, { isOptional }]) => !isOptional).map(([name]) => name);
  const properties = shown.map(([name, attribute]) => [name, shownSchema(attribute)] as const);
  return { type: 'object', description: help, required, properties: Object.fromEntries(properties) };
}

/** A record as lists show it; undefined where that is the same. */
export function listItemSchema({ help, attributes, inLists }: Resource): JsonSchema | undefined {
  return inLists === undefined ? undefined : answerSchema({ help, attributes: { ...attributes, ...inLists } });
}

/** A list under its key. */
export function listSchema({ listKey }: Resource, item: JsonSchema): JsonSchema {
  const next = { type: 'string', format: 'uri', description: 'Where the list goes on; only with `limit`.' };
  return {
    type: 'object',
    required: [listKey],
    properties: { [listKey]: { type: 'array', items: item }, next },
  };
}

export interface BodyForm {
  readonly on: 'create' | 'change';
  /** True if it can hold files. */
  readonly hasFiles: boolean;
  readonly limits: ResourceLimits;
}

/** A body. What is taken at the other moment only has no effect; unknown attributes are refused or have none either. */
export function bodySchema(resource: Resource, { on, hasFiles, limits }: BodyForm): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const [name, attribute] of Object.entries(resource.attributes)) {
    const { setOn, isFile } = attribute;
    if (setOn === 'never' || (isFile && !hasFiles)) continue;
    const isTaken = setOn === 'both' || setOn === on;
    properties[name] = isTaken ? inputSchema(attribute, on, limits) : WITHOUT_EFFECT;
  }
  const required = on === 'create' ? requiredOf(resource) : [];
  return {
    type: 'object',
    ...(required.length === 0 ? undefined : { required }),
    properties,
    additionalProperties: resource.isLenient === true,
  };
}

function shownSchema({ schema, isNullable, setOn, help }: Attribute): JsonSchema {
  const shown = isNullable ? orNull(schema) : schema;
  return { ...shown, ...(setOn === 'never' ? { readOnly: true } : undefined), description: help };
}

function inputSchema(attribute: Attribute, on: 'create' | 'change', limits: ResourceLimits): JsonSchema {
  const { input, help, isFile, isRequired, limit, isWriteOnly } = attribute;
  const range = limit === undefined ? undefined : limits[limit];
  const ranged = range === undefined ? input : { ...input, minimum: range.least, maximum: range.most };
  const usual = on === 'create' ? usualOf(attribute, range) : undefined;
  return {
    ...(isFile || (isRequired && on === 'create') ? ranged : orNull(ranged)),
    ...(usual === undefined ? undefined : { default: usual }),
    ...(isWriteOnly ? { writeOnly: true } : undefined),
    description: help,
  };
}

function usualOf(attribute: Attribute, range: Range | undefined): unknown {
  return range === undefined ? attribute.default : range.usual;
}

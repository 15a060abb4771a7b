import type { ResourceLimits } from '../../control/function-limits.ts';
import type { BodyEncoding } from '../operation.ts';
import type { JsonSchema, Resource } from '../resources/declaration.ts';
import { answerSchema, bodySchema, listItemSchema } from './schemas.ts';

/** The schemas of a description by their names, each made when it is asked for; what is given are references. */
export class SchemaSet {
  readonly #limits: ResourceLimits;
  readonly #schemas = new Map<string, JsonSchema>();

  constructor(limits: ResourceLimits) {
    this.#limits = limits;
  }

  /** All of them, in the order of their names. */
  get all(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** A record as answers show it. */
  answer(resource: Resource): JsonSchema {
    return this.#put(resource.title, () => answerSchema(resource));
  }

  /** A record as lists show it. */
  listItem(resource: Resource): JsonSchema {
    const schema = listItemSchema(resource);
    return schema === undefined ? this.answer(resource) : this.#put(`${resource.title}ListItem`, () => schema);
  }

  /** A body, which holds files in one encoding only. */
  body(resource: Resource, on: 'create' | 'change', encoding: BodyEncoding): JsonSchema {
    const hasFiles =
      encoding === 'multipart/form-data' && Object.values(resource.attributes).some(({ isFile }) => isFile);
    const name = `${resource.title}${on === 'create' ? 'Create' : 'Change'}${hasFiles ? 'Form' : ''}`;
    return this.#put(name, () => bodySchema(resource, { on, hasFiles, limits: this.#limits }));
  }

  /** The body of errors. */
  error(): JsonSchema {
    return this.#put('Error', () => ERROR);
  }

  #put(name: string, make: () => JsonSchema): JsonSchema {
    if (!this.#schemas.has(name)) this.#schemas.set(name, make());
    return { $ref: `#/components/schemas/${name}` };
  }
}

const ERROR: JsonSchema = {
  type: 'object',
  description: 'The body of every error.',
  required: ['faultcode', 'faultstring', 'debuginfo'],
  properties: {
    faultcode: { type: 'string', enum: ['Client', 'Server'], description: 'Whose fault it is.' },
    faultstring: { type: 'string', description: 'What is wrong, for people.' },
    debuginfo: { type: 'null' },
  },
};

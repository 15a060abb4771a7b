import { RULES, type RuleName } from '../../auth/rules.ts';
import type { ResourceLimits } from '../../control/function-limits.ts';
import type { Answer, BodyEncoding, Operation, Parameter, QueryArgument } from '../operation.ts';
import type { JsonSchema, Resource } from '../resources/declaration.ts';
import { answerSchema, bodySchema, listItemSchema, listSchema } from './schemas.ts';

/** What the description says of this deployment. */
export interface ApiFacts {
  readonly limits: ResourceLimits;
  /** True where callers are not asked who they are. */
  readonly isOpen: boolean;
}

/** A document of OpenAPI 3.1. */
export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly description: string; readonly [key: string]: unknown };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>>; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

const JSON_TYPE = 'application/json';

const INFO = `Functions as a Service.

- Ids are UUIDs. Times are UTC, \`YYYY-MM-DDTHH:MM:SSZ\`.
- In bodies \`null\` is the same as nothing. Whole numbers may be decimal text, booleans also \`1\`, \`yes\`, \`on\` and their like.
- Errors are JSON with the text in \`faultstring\`, whatever their status.
- Trailing and repeated slashes in paths do not count. \`HEAD\` answers like \`GET\`, without a body.
- Lists come as a whole, oldest first, unless \`limit\` is given.
- A filter of a list is a value, or an operator before one: \`eq:\`, \`neq:\`, \`gt:\`, \`gte:\`, \`lt:\`, \`lte:\`, \`in:a,b\`, \`nin:a,b\`, \`has:\` (a part of the text). Several filters must all be met.`;

const ERRORS: Readonly<Record<number, string>> = {
  400: 'Something of the request is wrong.',
  401: 'It is not known who asks.',
  403: 'Not allowed, or in use.',
  404: 'There is none, or the caller does not see it.',
  405: 'Not possible for this one.',
  409: 'Not possible in its present state.',
  413: 'The body is too large.',
  415: 'The body is of another type.',
  429: 'Too many requests.',
  503: 'Not possible just now; `Retry-After` tells when to ask again.',
};

const WHO = {
  public: 'everybody, without authentication',
  tenant: 'members of its project, and administrators',
  owner: 'members of its project',
  admin: 'administrators',
} as const;

const PATH_PARAMETERS: Readonly<Record<string, Parameter>> = {
  id: { schema: { type: 'string', format: 'uuid' }, help: 'The id.' },
  number: { schema: { type: 'integer', minimum: 0 }, help: 'The version number.' },
  name: { schema: { type: 'string' }, help: 'The name.' },
};

const ERROR_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'The body of every error.',
  required: ['faultcode', 'faultstring', 'debuginfo'],
  properties: {
    faultcode: { type: 'string', enum: ['Client', 'Server'], description: 'Whose fault it is.' },
    faultstring: { type: 'string', description: 'What is wrong, for people.' },
    debuginfo: { type: 'null' },
  },
};

/** The description of all these routes. */
export function describeApi(operations: readonly Operation[], facts: ApiFacts): OpenApi {
  const schemas: Record<string, JsonSchema> = { Error: ERROR_SCHEMA };
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of operations) {
    const path = operation.pattern.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[operation.method.toLowerCase()] = describeOperation(operation, schemas, facts);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Qinling',
      version: '1.0',
      description: INFO,
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(operations.map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas: sortedByName(schemas),
      ...(facts.isOpen ? undefined : { securitySchemes: SECURITY_SCHEMES }),
    },
    ...(facts.isOpen ? undefined : { security: [{ token: [] }, { basic: [] }] }),
  };
}

const SECURITY_SCHEMES = {
  token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
  basic: { type: 'http', scheme: 'basic' },
};

function describeOperation(operation: Operation, schemas: Record<string, JsonSchema>, facts: ApiFacts): JsonSchema {
  const { doc, rule, pattern, method } = operation;
  const parameters = [...pathParameters(operation), ...headerParameters(operation), ...queryParameters(operation)];
  const errors = facts.isOpen || rule === 'public' ? doc.errors : [401, ...doc.errors];
  return {
    operationId: [method.toLowerCase(), ...pattern.split(/[/:]+/).slice(1)].filter(Boolean).join('_'),
    summary: doc.summary,
    description: [doc.help, whoMay(rule)].filter(Boolean).join('\n\n'),
    tags: [tagOf(operation)],
    ...(parameters.length === 0 ? undefined : { parameters }),
    ...(doc.body === undefined ? undefined : { requestBody: describeBody(operation, schemas, facts) }),
    responses: {
      [doc.status]: describeAnswer(doc.answer, schemas),
      ...Object.fromEntries(errors.map((status) => [status, describeError(ERRORS[status])])),
      default: describeError('Any other error.'),
    },
    ...(rule === 'public' && !facts.isOpen ? { security: [] } : undefined),
  };
}

/** Sections of the description: what comes behind the version of the API. */
function tagOf({ pattern }: Operation): string {
  const [, , section = ''] = pattern.split('/');
  return /^\w+$/.test(section) ? section : 'service';
}

function whoMay(rule: RuleName): string {
  return `Allowed for ${WHO[RULES[rule]]}${rule === 'public' ? '' : ` (\`${rule}\`)`}.`;
}

function pathParameters({ pattern, doc }: Operation): JsonSchema[] {
  const names = [...pattern.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  return names.map((name) => {
    const { schema, help } = doc.path?.[name] ?? PATH_PARAMETERS[name] ?? { schema: { type: 'string' }, help: '' };
    return { name, in: 'path', required: true, description: help, schema };
  });
}

function headerParameters({ doc }: Operation): JsonSchema[] {
  const headers = Object.entries(doc.headers ?? {});
  return headers.map(([name, { schema, help }]) => ({ name, in: 'header', description: help, schema }));
}

function queryParameters({ doc }: Operation): JsonSchema[] {
  return Object.entries(doc.query ?? {}).map(([name, argument]) => queryParameter(name, argument));
}

function queryParameter(name: string, { schema, help, filter }: QueryArgument): JsonSchema {
  if (filter === undefined) return { name, in: 'query', description: help, schema };
  return { name, in: 'query', description: `Filter: ${help}`, allowReserved: true, schema };
}

function describeBody({ doc }: Operation, schemas: Record<string, JsonSchema>, { limits }: ApiFacts): JsonSchema {
  const { body, encodings = [JSON_TYPE] } = doc;
  const schemaOf = (encoding: BodyEncoding): JsonSchema => {
    if ('schema' in body!) return body.schema;
    const { resource, on } = body!;
    const hasFiles = encoding === 'multipart/form-data';
    const isForm = hasFiles && Object.values(resource.attributes).some(({ isFile }) => isFile);
    const name = `${resource.title}${on === 'create' ? 'Create' : 'Change'}${isForm ? 'Form' : ''}`;
    schemas[name] ??= bodySchema(resource, { on, hasFiles, limits });
    return reference(name);
  };
  const content = encodings.map((encoding) => [encoding, { schema: schemaOf(encoding) }] as const);
  const isRequired = 'resource' in body! || body!.schema['required'] !== undefined;
  return { required: isRequired, content: Object.fromEntries(content) };
}

function describeAnswer(answer: Answer, schemas: Record<string, JsonSchema>): JsonSchema {
  if (answer === 'empty') return { description: 'Done.' };
  if ('mediaType' in answer)
    return { description: 'Done.', content: { [answer.mediaType]: { schema: { type: 'string' } } } };
  if ('schema' in answer) return { description: 'Done.', content: { [JSON_TYPE]: { schema: answer.schema } } };
  if ('list' in answer) {
    const schema = listSchema(answer.list, listedReference(answer.list, schemas));
    return { description: 'The list.', content: { [JSON_TYPE]: { schema } } };
  }
  const { one, orMediaType } = answer;
  const bytes =
    orMediaType === undefined ? undefined : { [orMediaType]: { schema: { contentMediaType: orMediaType } } };
  return { description: one.help, content: { [JSON_TYPE]: { schema: shownReference(one, schemas) }, ...bytes } };
}

function shownReference(resource: Resource, schemas: Record<string, JsonSchema>): JsonSchema {
  schemas[resource.title] ??= answerSchema(resource);
  return reference(resource.title);
}

function listedReference(resource: Resource, schemas: Record<string, JsonSchema>): JsonSchema {
  const schema = listItemSchema(resource);
  if (schema === undefined) return shownReference(resource, schemas);
  schemas[`${resource.title}ListItem`] ??= schema;
  return reference(`${resource.title}ListItem`);
}

function describeError(description = 'Not possible.'): JsonSchema {
  return { description, content: { [JSON_TYPE]: { schema: reference('Error') } } };
}

function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function sortedByName<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

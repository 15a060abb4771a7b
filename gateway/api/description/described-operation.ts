import { RULES, type RuleName } from '../../auth/rules.ts';
import type { Answer, BodyEncoding, Operation, Parameter } from '../operation.ts';
import type { JsonSchema } from '../resources/declaration.ts';
import type { SchemaSet } from './schema-set.ts';
import { listSchema } from './schemas.ts';

const JSON_TYPE = 'application/json';

const ERRORS: Readonly<Record<number, string>> = {
  400: 'Something of the request is wrong.',
  401: 'It is not known who asks.',
  403: 'Not allowed, or in use.',
  404: 'There is none, or the caller does not see it.',
  405: 'Not possible for this one.',
  409: 'Not possible in its present state.',
  413: 'The body is too large.',
  415: 'The body is of another type.',
  422: 'Not what was asked for by the same key before.',
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

/** A route as an operation of OpenAPI. `isOpen`: callers are not asked who they are. */
export function describeOperation(operation: Operation, tag: string, schemas: SchemaSet, isOpen: boolean): JsonSchema {
  const { doc, rule, pattern, method } = operation;
  const parameters = [...pathParameters(operation), ...headerParameters(operation), ...queryParameters(operation)];
  const errors = isOpen || rule === 'public' ? doc.errors : [401, ...doc.errors];
  return {
    operationId: [method.toLowerCase(), ...pattern.split(/\W+/)].filter(Boolean).join('_'),
    summary: doc.summary,
    description: [doc.help, whoMay(rule)].filter(Boolean).join('\n\n'),
    tags: [tag],
    ...(parameters.length === 0 ? undefined : { parameters }),
    ...(doc.body === undefined ? undefined : { requestBody: describeBody(operation, schemas) }),
    responses: {
      [doc.status]: describeAnswer(doc.answer, schemas),
      ...Object.fromEntries(errors.map((status) => [status, describeError(ERRORS[status] ?? 'Refused.', schemas)])),
      default: describeError('Any other error.', schemas),
    },
    ...(rule === 'public' && !isOpen ? { security: [] } : undefined),
  };
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
  return Object.entries(doc.query ?? {}).map(([name, { schema, help, filter }]) =>
    filter === undefined
      ? { name, in: 'query', description: help, schema }
      : { name, in: 'query', description: `Filter: ${help}`, allowReserved: true, schema },
  );
}

function describeBody({ doc }: Operation, schemas: SchemaSet): JsonSchema {
  const { body, encodings = [JSON_TYPE] } = doc;
  const schemaOf = (encoding: BodyEncoding): JsonSchema =>
    'schema' in body! ? body.schema : schemas.body(body!.resource, body!.on, encoding);
  const isRequired = 'resource' in body! || body!.schema['required'] !== undefined;
  const content = encodings.map((encoding) => [encoding, { schema: schemaOf(encoding) }] as const);
  return { required: isRequired, content: Object.fromEntries(content) };
}

function describeAnswer(answer: Answer, schemas: SchemaSet): JsonSchema {
  if (answer === 'empty') return { description: 'Done.' };
  if ('mediaType' in answer) return { description: 'The bytes.', content: bytesOf(answer.mediaType) };
  if ('schema' in answer) return { description: 'Done.', content: { [JSON_TYPE]: { schema: answer.schema } } };
  if ('list' in answer) {
    const schema = listSchema(answer.list, schemas.listItem(answer.list));
    return { description: 'The list.', content: { [JSON_TYPE]: { schema } } };
  }
  const { one, orMediaType } = answer;
  const bytes = orMediaType === undefined ? undefined : bytesOf(orMediaType);
  return { description: one.help, content: { [JSON_TYPE]: { schema: schemas.answer(one) }, ...bytes } };
}

function bytesOf(mediaType: string): JsonSchema {
  const schema = mediaType.startsWith('text/') ? { type: 'string' } : { contentMediaType: mediaType };
  return { [mediaType]: { schema } };
}

function describeError(description: string, schemas: SchemaSet): JsonSchema {
  return { description, content: { [JSON_TYPE]: { schema: schemas.error() } } };
}

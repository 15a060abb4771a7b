import type { ResourceLimits } from '../../control/function-limits.ts';
import type { Operation } from '../operation.ts';
import type { JsonSchema } from '../resources/declaration.ts';
import { describeOperation } from './described-operation.ts';
import { SchemaSet } from './schema-set.ts';

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

const DESCRIPTION = `Functions as a Service.

- Ids are UUIDs. Times are UTC, \`YYYY-MM-DDTHH:MM:SSZ\`.
- In bodies \`null\` is the same as nothing. Whole numbers may be decimal text, booleans also \`1\`, \`yes\`, \`on\` and their like.
- Errors are JSON with the text in \`faultstring\`, whatever their status.
- Trailing and repeated slashes in paths do not count. \`HEAD\` answers like \`GET\`, without a body.
- Lists come as a whole, oldest first, unless \`limit\` is given.
- A filter of a list is a value, or an operator before one: \`eq:\`, \`neq:\`, \`gt:\`, \`gte:\`, \`lt:\`, \`lte:\`, \`in:a,b\`, \`nin:a,b\`, \`has:\` (a part of the text). Several filters must all be met.`;

const SECURITY_SCHEMES = {
  token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
  basic: { type: 'http', scheme: 'basic' },
};

/** The description of all these routes. */
export function describeApi(operations: readonly Operation[], { limits, isOpen }: ApiFacts): OpenApi {
  const schemas = new SchemaSet(limits);
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of operations) {
    const path = operation.pattern.replace(/:(\w+)/g, '{$1}');
    const item = (paths[path] ??= {});
    item[operation.method.toLowerCase()] = describeOperation(operation, tagOf(operation), schemas, isOpen);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Qinling',
      version: '1.0',
      description: DESCRIPTION,
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(operations.map(tagOf))].map((name) => ({ name })),
    paths,
    components: { schemas: schemas.all, ...(isOpen ? undefined : { securitySchemes: SECURITY_SCHEMES }) },
    ...(isOpen ? undefined : { security: [{ token: [] }, { basic: [] }] }),
  };
}

/** Sections of the description: what comes behind the version of the API. */
function tagOf({ pattern }: Operation): string {
  const [, , section = ''] = pattern.split('/');
  return /^\w+$/.test(section) ? section : 'service';
}

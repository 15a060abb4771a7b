import type { Route } from '../http/routes.ts';
import type { JsonSchema, Resource } from './resources/declaration.ts';

/** An argument behind the question mark. `filter`: the record's field that it filters, with every operator. */
export interface QueryArgument {
  readonly schema: JsonSchema;
  readonly help: string;
  readonly filter?: string;
}

export type QueryArguments = Readonly<Record<string, QueryArgument>>;

/** How a body comes; functions take all three encodings. */
export type BodyEncoding = 'application/json' | 'multipart/form-data' | 'application/x-www-form-urlencoded';

export type Answer =
  /** One record; or, where the caller asks for it, bytes of a media type. */
  | { readonly one: Resource; readonly orMediaType?: string }
  | { readonly list: Resource }
  | { readonly schema: JsonSchema }
  /** Bytes or text of a media type. */
  | { readonly mediaType: string }
  | 'empty';

/** A part of the path, or a header. */
export interface Parameter {
  readonly schema: JsonSchema;
  readonly help: string;
}

/** What a route does, for those who read the description of the API; `docs/api.md` and `GET /v1/openapi.json` show it. */
export interface OperationDoc {
  readonly summary: string;
  /** Rules that the schemas do not say. */
  readonly help?: string;
  /** Parts of the path, by their names in the pattern; `id` goes without saying. */
  readonly path?: Readonly<Record<string, Parameter>>;
  /** Headers that it heeds. */
  readonly headers?: Readonly<Record<string, Parameter>>;
  readonly body?: { readonly resource: Resource; readonly on: 'create' | 'change' } | { readonly schema: JsonSchema };
  readonly encodings?: readonly BodyEncoding[];
  readonly query?: QueryArguments;
  /** The status of success. */
  readonly status: number;
  readonly answer: Answer;
  /** Statuses of the error body, but those that every route may give. */
  readonly errors: readonly number[];
}

/** A route of the public API. */
export interface Operation extends Route {
  readonly doc: OperationDoc;
}

/** Arguments of lists whose records belong to projects. */
export const PROJECT_ARGUMENTS: QueryArguments = {
  all_projects: { schema: { type: 'boolean', default: false }, help: 'Every project (administrators).' },
  project_id: {
    schema: { type: 'string' },
    help: 'the project; implies `all_projects` (administrators).',
    filter: 'projectId',
  },
};

import type { Body, Project } from '../support/tenancy-world.ts';

/** A request that a member of the project, or an administrator, does right. */
export interface TenancyRequest {
  readonly path: string;
  readonly body?: Body;
}

/** What the walk over all routes must know of one. */
export interface TenancyEntry {
  /** Made anew for each try: what it needs is there, in that project and named its mark. */
  readonly request: (project: Project) => Promise<TenancyRequest> | TenancyRequest;
  /** The status of success. */
  readonly succeeds: number;
  /** What an administrator of another project hears, where his rule does not say it: a status, and a text. */
  readonly toOperator?: readonly [status: number, text: RegExp];
}

const at = (path: string, body?: Body): TenancyRequest => (body === undefined ? { path } : { path, body });

/**
 * One entry for each route, by method and pattern. Whose route is a list needs no more than its path.
 */
export const REQUESTS: Readonly<Record<string, TenancyEntry>> = {
  'GET /': { request: () => at('/'), succeeds: 200 },
  'GET /v1': { request: () => at('/v1'), succeeds: 200 },

  'POST /v1/runtimes': {
    request: ({ mark }) => at('/v1/runtimes', { image: 'python3', name: mark, is_public: false }),
    succeeds: 201,
  },
  'GET /v1/runtimes': { request: () => at('/v1/runtimes'), succeeds: 200 },
  'GET /v1/runtimes/:id': { request: ({ runtimeId }) => at(`/v1/runtimes/${runtimeId}`), succeeds: 200 },
  'PUT /v1/runtimes/:id': {
    request: ({ runtimeId, mark }) => at(`/v1/runtimes/${runtimeId}`, { description: `${mark} ${Math.random()}` }),
    succeeds: 200,
  },
  'DELETE /v1/runtimes/:id': {
    request: async (project) => at(`/v1/runtimes/${await project.newRuntime()}`),
    succeeds: 204,
  },
  'GET /v1/runtimes/:id/pool': { request: ({ runtimeId }) => at(`/v1/runtimes/${runtimeId}/pool`), succeeds: 200 },

  'POST /v1/functions': { request: (project) => at('/v1/functions', project.functionForm()), succeeds: 201 },
  'GET /v1/functions': { request: () => at('/v1/functions'), succeeds: 200 },
  'GET /v1/functions/:id': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}`),
    succeeds: 200,
  },
  'PUT /v1/functions/:id': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}`, { description: project.mark }),
    succeeds: 200,
  },
  'DELETE /v1/functions/:id': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}`),
    succeeds: 204,
    toOperator: [403, /^Function can only be deleted by its owner\.$/],
  },

  'POST /v1/executions': {
    request: async (project) =>
      at('/v1/executions', { function_id: await project.newFunction(), description: project.mark }),
    succeeds: 201,
  },
  'GET /v1/executions': { request: () => at('/v1/executions'), succeeds: 200 },
  'GET /v1/executions/:id': {
    request: async (project) => at(`/v1/executions/${await project.newExecution()}`),
    succeeds: 200,
  },
  'GET /v1/executions/:id/log': {
    request: async (project) => at(`/v1/executions/${await project.newExecution()}/log`),
    succeeds: 200,
  },
  'DELETE /v1/executions/:id': {
    request: async (project) => at(`/v1/executions/${await project.newExecution()}`),
    succeeds: 204,
  },
};

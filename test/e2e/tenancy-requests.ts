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
  'GET /v1/openapi.json': { request: () => at('/v1/openapi.json'), succeeds: 200 },
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

  'POST /v1/functions/:id/versions': {
    request: async (project) =>
      at(`/v1/functions/${await project.newFunction()}/versions`, { description: project.mark }),
    succeeds: 201,
  },
  'GET /v1/functions/:id/versions': {
    request: async (project) => at(`/v1/functions/${await project.newVersionedFunction()}/versions`),
    succeeds: 200,
  },
  'GET /v1/functions/:id/versions/:number': {
    request: async (project) => at(`/v1/functions/${await project.newVersionedFunction()}/versions/1`),
    succeeds: 200,
  },
  'DELETE /v1/functions/:id/versions/:number': {
    request: async (project) => at(`/v1/functions/${await project.newVersionedFunction()}/versions/1`),
    succeeds: 204,
  },
  'GET /v1/functions/:id/workers': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}/workers`),
    succeeds: 200,
  },
  'POST /v1/functions/:id/scale_up': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}/scale_up`, { count: 1 }),
    succeeds: 202,
  },
  'POST /v1/functions/:id/scale_down': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}/scale_down`, { count: 1 }),
    succeeds: 202,
  },
  'POST /v1/functions/:id/detach': {
    request: async (project) => at(`/v1/functions/${await project.newFunction()}/detach`),
    succeeds: 202,
  },
  'POST /v1/functions/:id/versions/:number/scale_up': {
    request: async (project) =>
      at(`/v1/functions/${await project.newVersionedFunction()}/versions/1/scale_up`, { count: 1 }),
    succeeds: 202,
  },
  'POST /v1/functions/:id/versions/:number/scale_down': {
    request: async (project) =>
      at(`/v1/functions/${await project.newVersionedFunction()}/versions/1/scale_down`, { count: 1 }),
    succeeds: 202,
  },
  'POST /v1/functions/:id/versions/:number/detach': {
    request: async (project) => at(`/v1/functions/${await project.newVersionedFunction()}/versions/1/detach`),
    succeeds: 202,
  },

  'POST /v1/aliases': {
    request: async (project) => at('/v1/aliases', await project.aliasBody()),
    succeeds: 201,
  },
  'GET /v1/aliases': { request: () => at('/v1/aliases'), succeeds: 200 },
  'GET /v1/aliases/:name': {
    request: async (project) => at(`/v1/aliases/${await project.newAlias()}`),
    succeeds: 200,
  },
  'PUT /v1/aliases/:name': {
    request: async (project) => at(`/v1/aliases/${await project.newAlias()}`, { description: `${project.mark} new` }),
    succeeds: 200,
  },
  'DELETE /v1/aliases/:name': {
    request: async (project) => at(`/v1/aliases/${await project.newAlias()}`),
    succeeds: 204,
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
  'POST /v1/executions/:id/redrive': {
    request: async (project) => at(`/v1/executions/${await project.newFailedExecution()}/redrive`),
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

  'POST /v1/jobs': { request: async (project) => at('/v1/jobs', await project.jobBody()), succeeds: 201 },
  'GET /v1/jobs': { request: () => at('/v1/jobs'), succeeds: 200 },
  'GET /v1/jobs/:id': {
    request: async (project) => at(`/v1/jobs/${await project.newJob()}`),
    succeeds: 200,
  },
  'PUT /v1/jobs/:id': {
    request: async (project) => at(`/v1/jobs/${await project.newJob()}`, { name: project.mark }),
    succeeds: 200,
  },
  'DELETE /v1/jobs/:id': {
    request: async (project) => at(`/v1/jobs/${await project.newJob()}`),
    succeeds: 204,
  },

  'POST /v1/webhooks': { request: async (project) => at('/v1/webhooks', await project.webhookBody()), succeeds: 201 },
  'GET /v1/webhooks': { request: () => at('/v1/webhooks'), succeeds: 200 },
  'GET /v1/webhooks/:id': {
    request: async (project) => at(`/v1/webhooks/${await project.newWebhook()}`),
    succeeds: 200,
  },
  'PUT /v1/webhooks/:id': {
    request: async (project) => at(`/v1/webhooks/${await project.newWebhook()}`, { description: project.mark }),
    succeeds: 200,
  },
  'DELETE /v1/webhooks/:id': {
    request: async (project) => at(`/v1/webhooks/${await project.newWebhook()}`),
    succeeds: 204,
  },
  'POST /v1/webhooks/:id/invoke': {
    request: async (project) => at(`/v1/webhooks/${await project.newWebhook()}/invoke`),
    succeeds: 202,
  },
};

import { ownOnly } from '../auth/access.ts';
import type { Runtimes } from '../control/runtimes.ts';
import type { RuntimeRecord } from '../store/store.ts';
import { parseUuid, wrongValue } from './fields.ts';
import { queryArguments } from './list-query.ts';
import type { Operation } from './operation.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { missing, readBody } from './resources/declaration.ts';
import { POOL, RUNTIME, renderRuntime } from './resources/runtime.ts';

/** /v1/runtimes */
export function runtimeRoutes(runtimes: Runtimes): Operation[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/runtimes',
      rule: 'runtime:create',
      doc: {
        summary: 'Create a runtime',
        help: 'Its pool is made in the background; `status` becomes `available`, or `error`.',
        body: { resource: RUNTIME, on: 'create' },
        status: 201,
        answer: { one: RUNTIME },
        errors: [400, 403, 415],
      },
      handle: async (exchange) => {
        const given = readBody(RUNTIME, await exchange.json('runtime'), 'create');
        const image = given.image ?? '';
        if (image.trim() === '') throw missing(RUNTIME);
        const record = await runtimes.create(exchange.access, {
          image,
          name: given.name ?? null,
          description: given.description ?? null,
          isPublic: given.is_public ?? true,
          isTrusted: given.trusted ?? true,
        });
        exchange.sendJson(201, renderRuntime(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/runtimes',
      rule: 'runtime:get_all',
      doc: {
        summary: 'List runtimes',
        help: 'The own ones of the project, and the public ones of all projects.',
        query: PAGING_ARGUMENTS,
        status: 200,
        answer: { list: RUNTIME },
        errors: [400],
      },
      handle: (exchange) => {
        queryArguments(exchange.query, Object.keys(PAGING_ARGUMENTS));
        const access = ownOnly(exchange.access);
        const render = (record: RuntimeRecord) => JSON.stringify(renderRuntime(record));
        return sendList(exchange, RUNTIME, (paging) => runtimes.list(access, paging), render);
      },
    },
    {
      method: 'GET',
      pattern: '/v1/runtimes/:id',
      rule: 'runtime:get',
      doc: { summary: 'Show a runtime', status: 200, answer: { one: RUNTIME }, errors: [400, 404] },
      handle: (exchange) => {
        exchange.sendJson(200, renderRuntime(runtimes.get(exchange.access, parseUuid(exchange.parameters[0]))));
      },
    },
    {
      method: 'PUT',
      pattern: '/v1/runtimes/:id',
      rule: 'runtime:update',
      doc: {
        summary: 'Change a runtime',
        help: 'Another image makes it `upgrading` until its workers have it.',
        body: { resource: RUNTIME, on: 'change' },
        status: 200,
        answer: { one: RUNTIME },
        errors: [400, 403, 404, 409, 415],
      },
      handle: async (exchange) => {
        const { image, name, description } = readBody(RUNTIME, await exchange.json('runtime'), 'change');
        if (image?.trim() === '') throw wrongValue('image', image, 'It is empty.');
        const id = parseUuid(exchange.parameters[0]);
        const record = await runtimes.update(exchange.access, id, { image, name, description });
        exchange.sendJson(200, renderRuntime(record));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/runtimes/:id',
      rule: 'runtime:delete',
      doc: {
        summary: 'Delete a runtime',
        help: 'Refused while a function of any project uses it.',
        status: 204,
        answer: 'empty',
        errors: [400, 403, 404],
      },
      handle: async (exchange) => {
        await runtimes.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
    {
      method: 'GET',
      pattern: '/v1/runtimes/:id/pool',
      rule: 'runtime_pool:get_all',
      doc: { summary: "Show a runtime's pool", status: 200, answer: { one: POOL }, errors: [400, 403, 404] },
      handle: (exchange) => {
        exchange.sendJson(200, runtimes.pool(exchange.access, parseUuid(exchange.parameters[0])));
      },
    },
  ];
}

import { invalidInput } from '../errors.ts';
import type { Route } from '../http/routes.ts';
import type { Runtimes } from '../control/runtimes.ts';
import type { RuntimeRecord } from '../store/store.ts';
import { field, formatTime, formatTimeOrNull, parseBoolean, parseName, parseUuid, readFields } from './fields.ts';
import { queryArguments } from './list-query.ts';

const BODY = {
  argument: 'runtime',
  settable: ['name', 'image', 'description', 'is_public', 'trusted'],
  readOnly: ['id', 'status', 'status_reason', 'project_id', 'created_at', 'updated_at'],
};

/** /v1/runtimes */
export function runtimeRoutes(runtimes: Runtimes): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/runtimes',
      handle: async (exchange) => {
        const fields = readFields(await exchange.json('runtime'), BODY);
        const image = field(fields, 'image', parseName, '');
        if (image.trim() === '') throw invalidInput("Required param is missing. Required: {'image'}");
        const record = await runtimes.create(exchange.access, {
          image,
          name: field(fields, 'name', parseName, null),
          description: field(fields, 'description', parseName, null),
          isPublic: field(fields, 'is_public', parseBoolean, true),
          isTrusted: field(fields, 'trusted', parseBoolean, true),
        });
        exchange.sendJson(201, renderRuntime(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/runtimes',
      handle: async (exchange) => {
        queryArguments(exchange.query, []);
        exchange.sendJson(200, { runtimes: (await runtimes.list(exchange.access)).map(renderRuntime) });
      },
    },
    {
      method: 'GET',
      pattern: '/v1/runtimes/:id',
      handle: (exchange) => {
        exchange.sendJson(200, renderRuntime(runtimes.get(exchange.access, parseUuid(exchange.parameters[0]))));
      },
    },
    {
      method: 'PUT',
      pattern: '/v1/runtimes/:id',
      handle: async (exchange) => {
        const fields = readFields(await exchange.json('runtime'), BODY);
        const image = field(fields, 'image', parseName, undefined);
        if (image?.trim() === '')
          throw invalidInput("Invalid input for field/attribute image. Value: ''. It is empty.");
        const change = {
          image,
          name: field(fields, 'name', parseName, undefined),
          description: field(fields, 'description', parseName, undefined),
        };
        const record = await runtimes.update(exchange.access, parseUuid(exchange.parameters[0]), change);
        exchange.sendJson(200, renderRuntime(record));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/runtimes/:id',
      handle: async (exchange) => {
        await runtimes.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
    {
      method: 'GET',
      pattern: '/v1/runtimes/:id/pool',
      handle: (exchange) => {
        exchange.sendJson(200, runtimes.pool(exchange.access, parseUuid(exchange.parameters[0])));
      },
    },
  ];
}

function renderRuntime(record: RuntimeRecord): object {
  return {
    id: record.id,
    name: record.name,
    image: record.image,
    description: record.description,
    is_public: record.isPublic,
    trusted: record.isTrusted,
    status: record.status,
    ...(record.statusReason === null ? undefined : { status_reason: record.statusReason }),
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  };
}

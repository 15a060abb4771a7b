import type { Aliases } from '../control/aliases.ts';
import type { Paging } from '../control/lists.ts';
import { PROJECT_ARGUMENTS, type Operation, type QueryArguments } from './operation.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readProjectList } from './project-list.ts';
import { ALIAS, renderAlias } from './resources/alias.ts';
import { readBody } from './resources/declaration.ts';

const LIST_ARGUMENTS: QueryArguments = { ...PROJECT_ARGUMENTS, ...PAGING_ARGUMENTS };
const BY_NAME = '/v1/aliases/:name';

/** /v1/aliases */
export function aliasRoutes(aliases: Aliases): Operation[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/aliases',
      rule: 'function_alias:create',
      doc: {
        summary: 'Create an alias',
        body: { resource: ALIAS, on: 'create' },
        status: 201,
        answer: { one: ALIAS },
        errors: [400, 404, 415],
      },
      handle: async (exchange) => {
        const given = readBody(ALIAS, await exchange.json('function_alias'), 'create');
        const record = await aliases.create(exchange.access, {
          name: given.name!, // required
          functionId: given.function_id!,
          functionVersion: given.function_version ?? 0,
          description: given.description ?? null,
        });
        exchange.send(201, renderAlias(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/aliases',
      rule: 'function_alias:get_all',
      doc: {
        summary: 'List aliases',
        query: LIST_ARGUMENTS,
        status: 200,
        answer: { list: ALIAS },
        errors: [400, 403],
      },
      handle: (exchange) => {
        const { access, filters } = readProjectList(exchange, LIST_ARGUMENTS, 'function_alias:get_all:all_projects');
        return sendList(exchange, ALIAS, (paging: Paging) => aliases.list(access, { filters, ...paging }), renderAlias);
      },
    },
    {
      method: 'GET',
      pattern: BY_NAME,
      rule: 'function_alias:get',
      doc: {
        summary: 'Show an alias',
        help: "The project's own one; an administrator sees that of another project where there is only one.",
        status: 200,
        answer: { one: ALIAS },
        errors: [400, 404, 409],
      },
      handle: async (exchange) => {
        exchange.send(200, renderAlias(await aliases.get(exchange.access, exchange.parameters[0]!)));
      },
    },
    {
      method: 'PUT',
      pattern: BY_NAME,
      rule: 'function_alias:update',
      doc: {
        summary: 'Move an alias',
        help: 'What is not given stays.',
        body: { resource: ALIAS, on: 'change' },
        status: 200,
        answer: { one: ALIAS },
        errors: [400, 404, 409, 415],
      },
      handle: async (exchange) => {
        const given = readBody(ALIAS, await exchange.json('function_alias'), 'change');
        const { function_id: functionId, function_version: functionVersion, description } = given;
        const change = { functionId, functionVersion, description };
        exchange.send(200, renderAlias(await aliases.update(exchange.access, exchange.parameters[0]!, change)));
      },
    },
    {
      method: 'DELETE',
      pattern: BY_NAME,
      rule: 'function_alias:delete',
      doc: {
        summary: 'Delete an alias',
        help: 'Refused while something is to be run by its name.',
        status: 204,
        answer: 'empty',
        errors: [400, 403, 404, 409],
      },
      handle: async (exchange) => {
        await aliases.delete(exchange.access, exchange.parameters[0]!);
        exchange.send(204);
      },
    },
  ];
}

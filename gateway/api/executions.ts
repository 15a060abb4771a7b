import type { Executions, NewExecution } from '../control/executions.ts';
import type { CallTiming } from '../control/finished-call.ts';
import type { Paging } from '../control/lists.ts';
import { invalidInput } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { parseUuid } from './fields.ts';
import { PROJECT_ARGUMENTS, type Operation, type QueryArguments } from './operation.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readProjectList } from './project-list.ts';
import { readBody } from './resources/declaration.ts';
import { EXECUTION, renderExecution } from './resources/execution.ts';

const LIST_ARGUMENTS: QueryArguments = {
  function_id: { schema: { type: 'string' }, help: 'the function.', filter: 'functionId' },
  status: { schema: { type: 'string' }, help: 'the status.', filter: 'status' },
  description: { schema: { type: 'string' }, help: 'the description.', filter: 'description' },
  ...PROJECT_ARGUMENTS,
  ...PAGING_ARGUMENTS,
};

/** /v1/executions */
export function executionRoutes(executions: Executions): Operation[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/executions',
      rule: 'execution:create',
      doc: {
        summary: 'Run a function',
        help: 'With `sync` the answer comes after the run, whatever its outcome; its Server-Timing header tells where the time went.',
        body: { resource: EXECUTION, on: 'create' },
        status: 201,
        answer: { one: EXECUTION },
        errors: [400, 404, 409, 413, 415, 503],
      },
      handle: async (exchange) => create(executions, exchange, readRequest(await exchange.json('execution'))),
    },
    {
      method: 'GET',
      pattern: '/v1/executions',
      rule: 'execution:get_all',
      doc: {
        summary: 'List executions',
        query: LIST_ARGUMENTS,
        status: 200,
        answer: { list: EXECUTION },
        errors: [400, 403],
      },
      handle: (exchange) => {
        const { access, filters } = readProjectList(exchange, LIST_ARGUMENTS, 'execution:get_all:all_projects');
        const list = (paging: Paging) => executions.list(access, { filters, ...paging });
        return sendList(exchange, EXECUTION, list, renderExecution);
      },
    },
    {
      method: 'GET',
      pattern: '/v1/executions/:id',
      rule: 'execution:get',
      doc: { summary: 'Show an execution', status: 200, answer: { one: EXECUTION }, errors: [400, 404] },
      handle: async (exchange) => {
        const record = await executions.get(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(200, renderExecution(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/executions/:id/log',
      rule: 'execution:get',
      doc: {
        summary: 'Show what an execution printed',
        status: 200,
        answer: { mediaType: 'text/plain' },
        errors: [400, 404],
      },
      handle: async (exchange) => {
        const log = await executions.log(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(200, log, 'text/plain; charset=UTF-8');
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/executions/:id',
      rule: 'execution:delete',
      doc: {
        summary: 'Delete the record of an execution',
        help: 'A run under way is not stopped; its result is dropped.',
        status: 204,
        answer: 'empty',
        errors: [400, 404],
      },
      handle: async (exchange) => {
        await executions.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
  ];
}

/** Hot. */
function create(executions: Executions, exchange: Exchange, request: NewExecution): void {
  executions.create(exchange.access, request, (error, call) => {
    if (call === undefined) return exchange.sendError(error);
    if (call.timing !== undefined) exchange.setHeader('Server-Timing', serverTiming(call.timing));
    exchange.send(201, renderExecution(call.record));
  });
}

function readRequest(body: Readonly<Record<string, unknown>>): NewExecution {
  const given = readBody(EXECUTION, body, 'create');
  const functionAlias = given.function_alias;
  if (functionAlias === undefined && given.function_id === undefined) {
    throw invalidInput('Either function_alias or function_id must be provided.');
  }
  return {
    functionAlias,
    functionId: functionAlias === undefined ? parseFunctionId(given.function_id) : undefined,
    functionVersion: given.function_version ?? 0,
    input: given.input ?? null,
    isSync: given.sync ?? true,
    description: given.description ?? null,
  };
}

function parseFunctionId(value: unknown): string {
  try {
    return parseUuid(value);
  } catch {
    throw invalidInput(`Expected a uuid but received ${String(value).slice(0, 100)}.`);
  }
}

function serverTiming({ queueMs, bindMs, runMs, storeMs, isWarm }: CallTiming): string {
  const part = (name: string, ms: number) => `${name};dur=${ms.toFixed(3)}`;
  const start = `start;desc="${isWarm ? 'warm' : 'cold'}"`;
  return [part('queue', queueMs), part('bind', bindMs), part('run', runMs), part('store', storeMs), start].join(', ');
}

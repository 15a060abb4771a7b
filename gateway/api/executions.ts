import { ownOnly } from '../auth/access.ts';
import { invalidInput } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Route } from '../http/routes.ts';
import type { CallTiming, Executions, NewExecution } from '../control/executions.ts';
import type { ExecutionRecord } from '../store/store.ts';
import {
  field,
  formatTime,
  formatTimeOrNull,
  parseBoolean,
  parseInteger,
  parseName,
  parseUuid,
  readFields,
} from './fields.ts';
import { parseInput, renderInput } from './input.ts';
import { parseListQuery } from './list-query.ts';
import { listParts } from './list-parts.ts';

const BODY = {
  argument: 'execution',
  settable: ['function_id', 'function_alias', 'function_version', 'input', 'sync', 'description'],
  readOnly: ['id', 'status', 'result', 'output', 'project_id', 'created_at', 'updated_at'],
};

const LIST_ARGUMENTS = {
  function_id: 'functionId',
  status: 'status',
  description: 'description',
  all_projects: '',
  project_id: 'projectId',
};

/** /v1/executions */
export function executionRoutes(executions: Executions): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/executions',
      handle: async (exchange) => create(executions, exchange, parseNewExecution(await exchange.json('execution'))),
    },
    {
      method: 'GET',
      pattern: '/v1/executions',
      handle: (exchange) => {
        const filters = parseListQuery(exchange.query, LIST_ARGUMENTS);
        return exchange.sendParts(
          200,
          listParts('executions', executions.list(ownOnly(exchange.access), filters), renderExecution),
        );
      },
    },
    {
      method: 'GET',
      pattern: '/v1/executions/:id',
      handle: async (exchange) => {
        const record = await executions.get(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(200, renderExecution(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/executions/:id/log',
      handle: async (exchange) => {
        const log = await executions.log(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(200, log, 'text/plain; charset=UTF-8');
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/executions/:id',
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

function parseNewExecution(body: Record<string, unknown>): NewExecution {
  const fields = readFields(body, BODY);
  const functionAlias = field(fields, 'function_alias', parseName, undefined);
  const functionVersion = field(fields, 'function_version', parseInteger, 0);
  if (functionVersion < 0)
    throw invalidInput('Invalid input for field/attribute function_version. Value should be 0 or more.');
  if (functionAlias === undefined && !fields.has('function_id')) {
    throw invalidInput('Either function_alias or function_id must be provided.');
  }
  return {
    functionAlias,
    functionId: functionAlias === undefined ? parseFunctionId(fields.get('function_id')) : undefined,
    functionVersion,
    input: parseInput(fields.get('input')),
    isSync: field(fields, 'sync', parseBoolean, true),
    description: field(fields, 'description', parseName, null),
  };
}

function parseFunctionId(value: unknown): string {
  try {
    return parseUuid(value);
  } catch {
    throw invalidInput(`Expected a uuid but received ${String(value).slice(0, 100)}.`);
  }
}

/** Hot. JSON text of an execution: what the language host wrote is spliced in unread, inside of JSON strings. */
export function renderExecution(record: ExecutionRecord): string {
  const { output } = record;
  const result = renderResult(record);
  const early = output === null ? 'null' : JSON.stringify(`{"result": ${output}}`);
  return (
    `{"id":"${record.id}","function_id":"${record.functionId}","function_version":${record.functionVersion},` +
    `"function_alias":${JSON.stringify(record.functionAlias)},"description":${JSON.stringify(record.description)},` +
    `"status":"${record.status}","sync":${record.isSync},"input":${JSON.stringify(renderInput(record.input))},` +
    `"result":${result},"output":${early},"project_id":${JSON.stringify(record.projectId)},` +
    `"created_at":"${formatTime(record.createdAt)}","updated_at":${JSON.stringify(formatTimeOrNull(record.updatedAt))}}`
  );
}

function renderResult({ output, durationSeconds }: ExecutionRecord): string {
  if (output === null && durationSeconds === null) return 'null';
  const parts: string[] = [];
  if (output !== null) parts.push(`"output": ${output}`);
  if (durationSeconds !== null) parts.push(`"duration": ${pythonFloat(durationSeconds)}`);
  return JSON.stringify(`{${parts.join(', ')}}`);
}

/** A duration as Python prints a float of three decimals. */
function pythonFloat(seconds: number): string {
  const rounded = Math.round(seconds * 1000) / 1000;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}

function serverTiming({ queueMs, bindMs, runMs, storeMs, isWarm }: CallTiming): string {
  const part = (name: string, ms: number) => `${name};dur=${ms.toFixed(3)}`;
  const start = `start;desc="${isWarm ? 'warm' : 'cold'}"`;
  return [part('queue', queueMs), part('bind', bindMs), part('run', runMs), part('store', storeMs), start].join(', ');
}

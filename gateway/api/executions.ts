import type { Executions, NewExecution } from '../control/executions.ts';
import type { CallTiming, FinishedCall } from '../control/finished-call.ts';
import type { Paging } from '../control/lists.ts';
import { invalidInput, type QinlingError } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { parseBoolean, parseUuid, wrongValue } from './fields.ts';
import { parseIdempotencyKey } from './idempotency-key.ts';
import { queryArguments } from './list-query.ts';
import { PROJECT_ARGUMENTS, type Operation, type QueryArguments } from './operation.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readProjectList } from './project-list.ts';
import { readBody } from './resources/declaration.ts';
import { EXECUTION, executionTexts, renderExecution } from './resources/execution.ts';

const LIST_ARGUMENTS: QueryArguments = {
  function_id: { schema: { type: 'string' }, help: 'the function.', filter: 'functionId' },
  status: { schema: { type: 'string' }, help: 'the status.', filter: 'status' },
  description: { schema: { type: 'string' }, help: 'the description.', filter: 'description' },
  ...PROJECT_ARGUMENTS,
  ...PAGING_ARGUMENTS,
};

const MAX_WAIT_SECONDS = 60;
const LOG_TYPE = 'text/plain; charset=UTF-8';

const WAIT: QueryArguments = {
  wait: {
    schema: { type: 'number', minimum: 0, maximum: MAX_WAIT_SECONDS, default: 0 },
    help: 'Seconds that the answer may wait until the execution is final; then it comes with the execution as it is.',
  },
};
const FOLLOW: QueryArguments = {
  follow: {
    schema: { type: 'boolean', default: false },
    help: 'The text as it is printed, until the execution is final.',
  },
};
const IDEMPOTENCY_KEY: QueryArguments = {
  'Idempotency-Key': {
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    help: 'Requests of a project with the same key get the same execution, for 24 hours.',
  },
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
        help: 'With `sync` the answer comes after the run, whatever its outcome; its Server-Timing header tells where the time went. An Idempotency-Key that was used for another request is refused (422).',
        headers: IDEMPOTENCY_KEY,
        body: { resource: EXECUTION, on: 'create' },
        status: 201,
        answer: { one: EXECUTION },
        errors: [400, 404, 409, 413, 415, 422, 503],
      },
      handle: (exchange) => {
        const key = exchange.header('idempotency-key');
        exchange.takeJson('execution', (body) => create(executions, exchange, readRequest(body, key)));
      },
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
      doc: {
        summary: 'Show an execution',
        query: WAIT,
        status: 200,
        answer: { one: EXECUTION },
        errors: [400, 404, 503],
      },
      handle: async (exchange) => {
        const id = parseUuid(exchange.parameters[0]);
        const waitMs = parseWaitMs(exchange.query);
        const record =
          waitMs === 0
            ? await executions.get(exchange.access, id)
            : await executions.wait(exchange.access, id, waitMs, exchange.signal);
        exchange.sendTexts(200, executionTexts(record));
      },
    },
    {
      method: 'POST',
      pattern: '/v1/executions/:id/redrive',
      rule: 'execution:redrive',
      doc: {
        summary: 'Run an execution again that failed',
        help: 'Asynchronous ones that are `failed` or `error`. It is `running` again, its result and log go, its attempts are counted on, and it has as many of them as at first.',
        status: 200,
        answer: { one: EXECUTION },
        errors: [400, 404, 409, 503],
      },
      handle: async (exchange) => {
        const record = await executions.redrive(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.sendTexts(200, executionTexts(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/executions/:id/log',
      rule: 'execution:get',
      doc: {
        summary: 'Show what an execution printed',
        help: 'The first 64 KiB of its last attempt that ended. With `follow` those of each attempt, one after the other.',
        query: FOLLOW,
        status: 200,
        answer: { mediaType: 'text/plain' },
        errors: [400, 404, 503],
      },
      handle: async (exchange) => {
        const id = parseUuid(exchange.parameters[0]);
        if (isFollowed(exchange.query)) {
          const parts = await executions.followLog(exchange.access, id, exchange.signal);
          return exchange.sendParts(200, parts, LOG_TYPE);
        }
        exchange.send(200, await executions.log(exchange.access, id), LOG_TYPE);
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
    try {
      answer(exchange, error, call);
    } catch (fault) {
      exchange.sendError(fault);
    }
  });
}

function answer(exchange: Exchange, error: QinlingError | undefined, call: FinishedCall | undefined): void {
  if (call === undefined) return exchange.sendError(error);
  if (call.isRepeated === true) exchange.setHeader('Idempotency-Replayed', 'true');
  if (call.timing !== undefined) exchange.setHeader('Server-Timing', serverTiming(call.timing));
  exchange.sendTexts(201, executionTexts(call.record));
}

function readRequest(body: Readonly<Record<string, unknown>>, key: string | undefined): NewExecution {
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
    idempotencyKey: parseIdempotencyKey(key),
  };
}

function parseWaitMs(query: string): number {
  const wait = query === '' ? undefined : queryArguments(query, Object.keys(WAIT)).get('wait');
  if (wait === undefined) return 0;
  const seconds = /^\d{1,3}(\.\d{1,3})?$/.test(wait) ? Number(wait) : Number.NaN;
  if (seconds <= MAX_WAIT_SECONDS) return seconds * 1000;
  throw wrongValue('wait', wait, `Value should be a number of seconds, 0 to ${MAX_WAIT_SECONDS}.`);
}

function isFollowed(query: string): boolean {
  const follow = query === '' ? undefined : queryArguments(query, Object.keys(FOLLOW)).get('follow');
  return follow !== undefined && parseBoolean(follow, 'follow');
}

function parseFunctionId(value: unknown): string {
  try {
    return parseUuid(value);
  } catch {
    throw invalidInput(`Expected a uuid but received ${String(value).slice(0, 100)}.`);
  }
}

/** Hot. */
function serverTiming({ queueMs, bindMs, runMs, storeMs, isWarm }: CallTiming): string {
  return (
    `queue;dur=${toMillis(queueMs)}, bind;dur=${toMillis(bindMs)}, run;dur=${toMillis(runMs)}, ` +
    `store;dur=${toMillis(storeMs)}, start;desc="${isWarm ? 'warm' : 'cold'}"`
  );
}

const FRACTIONS = Array.from({ length: 1000 }, (_, micros) => `.${String(micros).padStart(3, '0')}`);

/** Milliseconds with three decimals; a third of what `toFixed` takes. */
function toMillis(ms: number): string {
  const micros = Math.round(Math.max(0, ms) * 1000);
  return String(Math.trunc(micros / 1000)) + FRACTIONS[micros % 1000]!;
}

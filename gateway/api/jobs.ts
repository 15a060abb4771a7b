import type { Jobs, NewJob } from '../control/jobs.ts';
import type { Paging } from '../control/lists.ts';
import { invalidInput } from '../errors.ts';
import { parseUuid } from './fields.ts';
import { PROJECT_ARGUMENTS, type Operation, type QueryArguments } from './operation.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readProjectList } from './project-list.ts';
import { readBody } from './resources/declaration.ts';
import { JOB, renderJob } from './resources/job.ts';

const LIST_ARGUMENTS: QueryArguments = { ...PROJECT_ARGUMENTS, ...PAGING_ARGUMENTS };

/** /v1/jobs */
export function jobRoutes(jobs: Jobs): Operation[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/jobs',
      rule: 'job:create',
      doc: {
        summary: 'Create a job',
        help: 'With a pattern the first run is its first match after now, or that at or after the first time; without one it is the first time. A time that is given must be a minute ahead.',
        body: { resource: JOB, on: 'create' },
        status: 201,
        answer: { one: JOB },
        errors: [400, 404, 413, 415],
      },
      handle: async (exchange) => {
        const request = readNewJob(await exchange.json('job'));
        exchange.sendJson(201, renderJob(await jobs.create(exchange.access, request)));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/jobs',
      rule: 'job:get_all',
      doc: {
        summary: 'List jobs',
        query: LIST_ARGUMENTS,
        status: 200,
        answer: { list: JOB },
        errors: [400, 403],
      },
      handle: (exchange) => {
        const { access, filters } = readProjectList(exchange, LIST_ARGUMENTS, 'job:get_all:all_projects');
        const list = (paging: Paging) => jobs.list(access, { filters, ...paging });
        return sendList(exchange, JOB, list, (record) => JSON.stringify(renderJob(record)));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/jobs/:id',
      rule: 'job:get',
      doc: { summary: 'Show a job', status: 200, answer: { one: JOB }, errors: [400, 404] },
      handle: async (exchange) => {
        const record = await jobs.get(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.sendJson(200, renderJob(record));
      },
    },
    {
      method: 'PUT',
      pattern: '/v1/jobs/:id',
      rule: 'job:update',
      doc: {
        summary: 'Change a job',
        help: 'What is not given stays. A job that is done or cancelled can not be changed.',
        body: { resource: JOB, on: 'change' },
        status: 200,
        answer: { one: JOB },
        errors: [400, 404, 413, 415],
      },
      handle: async (exchange) => {
        const body = await exchange.json('job');
        const id = parseUuid(exchange.parameters[0]);
        const given = readBody(JOB, body, 'change');
        const record = await jobs.update(exchange.access, id, {
          name: given.name,
          functionInput: given.function_input,
          status: given.status,
          pattern: given.pattern,
          nextExecutionAt: given.next_execution_time,
        });
        exchange.sendJson(200, renderJob(record));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/jobs/:id',
      rule: 'job:delete',
      doc: { summary: 'Delete a job', status: 204, answer: 'empty', errors: [400, 404] },
      handle: async (exchange) => {
        await jobs.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
  ];
}

function readNewJob(body: Readonly<Record<string, unknown>>): NewJob {
  const given = readBody(JOB, body, 'create');
  const functionAlias = given.function_alias === '' ? undefined : given.function_alias;
  if (functionAlias === undefined && given.function_id === undefined) {
    throw invalidInput('Either function_alias or function_id must be provided.');
  }
  return {
    name: given.name,
    functionId: given.function_id,
    functionVersion: given.function_version,
    functionAlias,
    functionInput: given.function_input,
    pattern: given.pattern,
    firstExecutionAt: given.first_execution_time,
    count: given.count,
  };
}

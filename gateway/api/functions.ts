import type { FunctionRequest, Functions } from '../control/functions.ts';
import type { Paging } from '../control/lists.ts';
import { invalidInput } from '../errors.ts';
import type { Form } from '../http/upload-form.ts';
import { parseUuid } from './fields.ts';
import { PROJECT_ARGUMENTS, type BodyEncoding, type Operation, type QueryArguments } from './operation.ts';
import { DOWNLOAD_ARGUMENTS, asksForDownload, sendPackage } from './package-download.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readProjectList } from './project-list.ts';
import { readBody } from './resources/declaration.ts';
import { FUNCTION, renderFunction, renderFunctionListItem } from './resources/function.ts';

const LIST_ARGUMENTS: QueryArguments = { ...PROJECT_ARGUMENTS, ...PAGING_ARGUMENTS };
const ENCODINGS: readonly BodyEncoding[] = [
  'multipart/form-data',
  'application/x-www-form-urlencoded',
  'application/json',
];

/** /v1/functions */
export function functionRoutes(functions: Functions): Operation[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/functions',
      rule: 'function:create',
      doc: {
        summary: 'Create a function',
        help: 'Unknown fields are ignored.',
        body: { resource: FUNCTION, on: 'create' },
        encodings: ENCODINGS,
        status: 201,
        answer: { one: FUNCTION },
        errors: [400, 404, 413, 415],
      },
      handle: async (exchange) => {
        const record = await functions.create(exchange.access, readRequest(await exchange.form(), 'create'));
        exchange.sendJson(201, renderFunction(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/functions',
      rule: 'function:get_all',
      doc: {
        summary: 'List functions',
        query: LIST_ARGUMENTS,
        status: 200,
        answer: { list: FUNCTION },
        errors: [400, 403],
      },
      handle: (exchange) => {
        const { access, filters } = readProjectList(exchange, LIST_ARGUMENTS, 'function:get_all:all_projects');
        const list = (paging: Paging) => functions.list(access, { filters, ...paging });
        return sendList(exchange, FUNCTION, list, renderFunctionListItem);
      },
    },
    {
      method: 'GET',
      pattern: '/v1/functions/:id',
      rule: 'function:get',
      doc: {
        summary: 'Show a function, or download its package',
        query: DOWNLOAD_ARGUMENTS,
        status: 200,
        answer: { one: FUNCTION, orMediaType: 'application/zip' },
        errors: [400, 404, 405],
      },
      handle: async (exchange) => {
        const id = parseUuid(exchange.parameters[0]);
        if (asksForDownload(exchange.query)) {
          return sendPackage(exchange, await functions.download(exchange.access, id), id);
        }
        exchange.sendJson(200, renderFunction(await functions.get(exchange.access, id)));
      },
    },
    {
      method: 'PUT',
      pattern: '/v1/functions/:id',
      rule: 'function:update',
      doc: {
        summary: 'Change a function',
        help: 'What is not given stays. Unknown fields are ignored.',
        body: { resource: FUNCTION, on: 'change' },
        encodings: ENCODINGS,
        status: 200,
        answer: { one: FUNCTION },
        errors: [400, 403, 404, 413, 415],
      },
      handle: async (exchange) => {
        const form = await exchange.form();
        const id = parseUuid(exchange.parameters[0]);
        const record = await functions.update(exchange.access, id, readRequest(form, 'change'));
        exchange.sendJson(200, renderFunction(record));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/functions/:id',
      rule: 'function:delete',
      doc: {
        summary: 'Delete a function',
        help: 'With its versions; refused while something points at it.',
        status: 204,
        answer: 'empty',
        errors: [400, 403, 404],
      },
      handle: async (exchange) => {
        await functions.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
  ];
}

function readRequest({ fields, files }: Form, on: 'create' | 'change'): FunctionRequest {
  const { runtime_id: runtimeId, ...others } = Object.fromEntries(fields);
  const body = runtimeId === '' ? others : { ...others, runtime_id: runtimeId }; // an empty field of a form is none
  const given = readBody(FUNCTION, body, on);
  if (given.package !== undefined) throw invalidInput('The attribute package must be a file part of a multipart form.');
  return {
    name: given.name,
    description: given.description,
    runtimeId: given.runtime_id,
    code: given.code,
    entry: given.entry,
    cpu: given.cpu,
    memorySize: given.memory_size,
    timeout: given.timeout,
    retry: given.retry,
    md5: given.md5sum,
    upload: files.get('package'),
  };
}

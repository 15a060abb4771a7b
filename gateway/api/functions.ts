import { ownOnly } from '../auth/access.ts';
import { invalidInput } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Form } from '../http/upload-form.ts';
import type { Route } from '../http/routes.ts';
import type { FunctionRequest, Functions } from '../control/functions.ts';
import type { FunctionRecord } from '../store/store.ts';
import { MAX_ENTRY_LENGTH, MAX_NAME_LENGTH, formatTime, formatTimeOrNull, parseText, parseUuid } from './fields.ts';
import { listParts } from './list-parts.ts';
import { parseListQuery, queryArguments } from './list-query.ts';
import { pythonJson } from './python-json.ts';

const LIST_ARGUMENTS = { all_projects: '', project_id: 'projectId' };
const TRUE = new Set(['true', '1', 'yes', 'on', 't', 'y']);

/** /v1/functions */
export function functionRoutes(functions: Functions): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/functions',
      handle: async (exchange) => {
        const record = await functions.create(exchange.access, readRequest(await exchange.form()));
        exchange.sendJson(201, renderFunction(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/functions',
      handle: (exchange) => {
        const filters = parseListQuery(exchange.query, LIST_ARGUMENTS);
        return exchange.sendParts(
          200,
          listParts('functions', functions.list(ownOnly(exchange.access), filters), renderListItem),
        );
      },
    },
    {
      method: 'GET',
      pattern: '/v1/functions/:id',
      handle: async (exchange) => {
        const id = parseUuid(exchange.parameters[0]);
        const isDownload = TRUE.has((queryArguments(exchange.query, ['download']).get('download') ?? '').toLowerCase());
        if (isDownload) return sendPackage(functions, exchange, id);
        exchange.sendJson(200, renderFunction(await functions.get(exchange.access, id)));
      },
    },
    {
      method: 'PUT',
      pattern: '/v1/functions/:id',
      handle: async (exchange) => {
        const form = await exchange.form();
        const id = parseUuid(exchange.parameters[0]);
        const record = await functions.update(exchange.access, id, readRequest(form));
        exchange.sendJson(200, renderFunction(record));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/functions/:id',
      handle: async (exchange) => {
        await functions.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
  ];
}

async function sendPackage(functions: Functions, exchange: Exchange, id: string): Promise<void> {
  const { bytes, stream } = await functions.download(exchange.access, id);
  const headers = { 'Content-Type': 'application/zip', 'Content-Disposition': `attachment; filename="${id}"` };
  await exchange.sendStream(200, headers, bytes, stream);
}

/** Reads what is known of a form and leaves the rest alone: clients send more than we take. */
function readRequest({ fields, files }: Form): FunctionRequest {
  const text = (name: string, maxLength: number) => {
    const value = given(name);
    return value === undefined ? undefined : parseText(value, name, maxLength);
  };
  const given = (name: string): unknown => {
    const value = fields.get(name);
    return value === null ? undefined : value;
  };
  if (given('package') !== undefined)
    throw invalidInput('The attribute package must be a file part of a multipart form.');
  const runtimeId = given('runtime_id');
  return {
    name: text('name', MAX_NAME_LENGTH),
    description: text('description', MAX_NAME_LENGTH),
    runtimeId: runtimeId === undefined || runtimeId === '' ? undefined : parseUuid(runtimeId, 'runtime_id'),
    code: given('code'),
    entry: text('entry', MAX_ENTRY_LENGTH),
    cpu: given('cpu'),
    memorySize: given('memory_size'),
    timeout: given('timeout'),
    md5: text('md5sum', MAX_NAME_LENGTH),
    upload: files.get('package'),
  };
}

function renderFields(record: FunctionRecord, code: unknown): object {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    cpu: record.cpuMillicores,
    memory_size: record.memoryBytes,
    timeout: record.timeoutSeconds,
    runtime_id: record.runtimeId,
    code,
    entry: record.entry,
    count: record.count,
    latest_version: record.latestVersion,
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  };
}

function renderFunction(record: FunctionRecord): object {
  return renderFields(record, record.code);
}

/** In lists `code` is text that holds JSON, as clients of the original expect. */
function renderListItem(record: FunctionRecord): string {
  return JSON.stringify(renderFields(record, pythonJson(record.code)));
}

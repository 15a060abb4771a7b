import type { Versions } from '../control/versions.ts';
import type { Exchange } from '../http/exchange.ts';
import type { VersionRecord } from '../store/store.ts';
import { parseInteger, parseUuid } from './fields.ts';
import { queryArguments } from './list-query.ts';
import type { Operation } from './operation.ts';
import { DOWNLOAD_ARGUMENTS, asksForDownload, sendPackage } from './package-download.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readBody } from './resources/declaration.ts';
import { VERSION, renderVersion } from './resources/version.ts';

/** /v1/functions/:id/versions */
export function functionVersionRoutes(versions: Versions): Operation[] {
  return [
    {
      method: 'POST',
      pattern: '/v1/functions/:id/versions',
      rule: 'function_version:create',
      doc: {
        summary: 'Publish a version of a function',
        help: 'It keeps package, entry and limits as they are. The package must not be that of the newest version.',
        body: { resource: VERSION, on: 'create' },
        status: 201,
        answer: { one: VERSION },
        errors: [400, 403, 404, 409, 415],
      },
      handle: async (exchange) => {
        const { description = null } = readBody(VERSION, await exchange.json('function_version'), 'create');
        const record = await versions.create(exchange.access, parseUuid(exchange.parameters[0]), description);
        exchange.sendJson(201, renderVersion(record));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/functions/:id/versions',
      rule: 'function_version:get_all',
      doc: {
        summary: 'List the versions of a function',
        query: PAGING_ARGUMENTS,
        status: 200,
        answer: { list: VERSION },
        errors: [400, 404],
      },
      handle: (exchange) => {
        queryArguments(exchange.query, Object.keys(PAGING_ARGUMENTS));
        const { access, parameters } = exchange;
        const id = parseUuid(parameters[0]);
        const render = (record: VersionRecord) => JSON.stringify(renderVersion(record));
        return sendList(exchange, VERSION, (paging) => versions.list(access, id, paging), render);
      },
    },
    {
      method: 'GET',
      pattern: '/v1/functions/:id/versions/:number',
      rule: 'function_version:get',
      doc: {
        summary: 'Show a version, or download its package',
        query: DOWNLOAD_ARGUMENTS,
        status: 200,
        answer: { one: VERSION, orMediaType: 'application/zip' },
        errors: [400, 404],
      },
      handle: async (exchange) => {
        const [id, number] = readVersion(exchange);
        if (asksForDownload(exchange.query)) {
          return sendPackage(exchange, await versions.download(exchange.access, id, number), `${id}_${number}`);
        }
        exchange.sendJson(200, renderVersion(await versions.get(exchange.access, id, number)));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/functions/:id/versions/:number',
      rule: 'function_version:delete',
      doc: { summary: 'Delete a version', status: 204, answer: 'empty', errors: [400, 403, 404] },
      handle: async (exchange) => {
        const [id, number] = readVersion(exchange);
        await versions.delete(exchange.access, id, number);
        exchange.send(204);
      },
    },
  ];
}

/** Throws INVALID_INPUT for an id or a number that is none. */
export function readVersion({ parameters }: Exchange): [functionId: string, versionNumber: number] {
  return [parseUuid(parameters[0]), parseInteger(parameters[1], 'version_number')];
}

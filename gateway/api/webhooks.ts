import type { Paging } from '../control/lists.ts';
import type { WebhookRequest, Webhooks } from '../control/webhooks.ts';
import type { Exchange } from '../http/exchange.ts';
import type { WebhookRecord } from '../store/webhook-store.ts';
import { parseUuid } from './fields.ts';
import { PROJECT_ARGUMENTS, type BodyEncoding, type Operation, type QueryArguments } from './operation.ts';
import { PAGING_ARGUMENTS, sendList } from './paging.ts';
import { readProjectList } from './project-list.ts';
import { readBody } from './resources/declaration.ts';
import { WEBHOOK, renderWebhook } from './resources/webhook.ts';
import { readWebhookInput } from './webhook-input.ts';

const INVOKED = {
  type: 'object',
  required: ['execution_id'],
  properties: { execution_id: { type: 'string', format: 'uuid' } },
};
const ENCODINGS: readonly BodyEncoding[] = [
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
];

const LIST_ARGUMENTS: QueryArguments = { ...PROJECT_ARGUMENTS, ...PAGING_ARGUMENTS };

/** /v1/webhooks. `publicEndpoint`: where outsiders reach us; empty: as whoever asks does. */
export function webhookRoutes(webhooks: Webhooks, publicEndpoint: string): Operation[] {
  const render = (exchange: Exchange) => {
    const endpoint = publicEndpoint === '' ? exchange.baseUrl : publicEndpoint;
    return (record: WebhookRecord) => renderWebhook(record, endpoint);
  };
  return [
    {
      method: 'POST',
      pattern: '/v1/webhooks',
      rule: 'webhook:create',
      doc: {
        summary: 'Create a webhook',
        help: 'For an own function only, also by administrators.',
        body: { resource: WEBHOOK, on: 'create' },
        status: 201,
        answer: { one: WEBHOOK },
        errors: [400, 404, 413, 415],
      },
      handle: async (exchange) => {
        const request = readRequest(await exchange.json('webhook'), 'create');
        exchange.sendJson(201, render(exchange)(await webhooks.create(exchange.access, request)));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/webhooks',
      rule: 'webhook:get_all',
      doc: {
        summary: 'List webhooks',
        query: LIST_ARGUMENTS,
        status: 200,
        answer: { list: WEBHOOK },
        errors: [400, 403],
      },
      handle: (exchange) => {
        const { access, filters } = readProjectList(exchange, LIST_ARGUMENTS, 'webhook:get_all:all_projects');
        const list = (paging: Paging) => webhooks.list(access, { filters, ...paging });
        const renderOne = render(exchange);
        return sendList(exchange, WEBHOOK, list, (record) => JSON.stringify(renderOne(record)));
      },
    },
    {
      method: 'GET',
      pattern: '/v1/webhooks/:id',
      rule: 'webhook:get',
      doc: { summary: 'Show a webhook', status: 200, answer: { one: WEBHOOK }, errors: [400, 404] },
      handle: async (exchange) => {
        const record = await webhooks.get(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.sendJson(200, render(exchange)(record));
      },
    },
    {
      method: 'PUT',
      pattern: '/v1/webhooks/:id',
      rule: 'webhook:update',
      doc: {
        summary: 'Change a webhook',
        help: 'What is not given stays. An alias replaces function and version, and they replace it.',
        body: { resource: WEBHOOK, on: 'change' },
        status: 200,
        answer: { one: WEBHOOK },
        errors: [400, 404, 413, 415],
      },
      handle: async (exchange) => {
        const body = await exchange.json('webhook');
        const id = parseUuid(exchange.parameters[0]);
        const record = await webhooks.update(exchange.access, id, readRequest(body, 'change'));
        exchange.sendJson(200, render(exchange)(record));
      },
    },
    {
      method: 'DELETE',
      pattern: '/v1/webhooks/:id',
      rule: 'webhook:delete',
      doc: { summary: 'Delete a webhook', status: 204, answer: 'empty', errors: [400, 404] },
      handle: async (exchange) => {
        await webhooks.delete(exchange.access, parseUuid(exchange.parameters[0]));
        exchange.send(204);
      },
    },
    {
      method: 'POST',
      pattern: '/v1/webhooks/:id/invoke',
      rule: 'public',
      doc: {
        summary: 'Call a webhook',
        help: 'Without authentication. The function runs later, with an input made of the query and the body: the fields of a form as text, the members of a JSON object; a name that comes more than once gets a list.',
        body: { schema: { type: 'object' } },
        encodings: ENCODINGS,
        status: 202,
        answer: { schema: INVOKED },
        errors: [400, 404, 409, 413, 429],
      },
      handle: async (exchange) => {
        const body = await exchange.body();
        const id = parseUuid(exchange.parameters[0]);
        const readInput = () => readWebhookInput(exchange.query, exchange.head.contentType, body);
        exchange.sendJson(202, { execution_id: await webhooks.invoke(id, readInput) });
      },
    },
  ];
}

function readRequest(body: Readonly<Record<string, unknown>>, on: 'create' | 'change'): WebhookRequest {
  const given = readBody(WEBHOOK, body, on);
  return {
    functionId: given.function_id,
    functionVersion: given.function_version,
    functionAlias: given.function_alias === '' ? undefined : given.function_alias,
    description: given.description,
  };
}

import type { Operation } from './operation.ts';

const URL_TEXT = { type: 'string', format: 'uri' };
const LINK = {
  type: 'object',
  required: ['href', 'target', 'rel'],
  properties: { href: URL_TEXT, target: { type: 'string' }, rel: { type: 'string' } },
};
const VERSIONS = {
  type: 'object',
  required: ['versions'],
  properties: {
    versions: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'status', 'links'],
        properties: { id: { type: 'string' }, status: { type: 'string' }, links: { type: 'array', items: LINK } },
      },
    },
  },
};
const VERSION_1 = { type: 'object', required: ['uri'], properties: { uri: URL_TEXT } };

/** What a client sees that knows only our address. */
export function versionRoutes(): Operation[] {
  return [
    {
      method: 'GET',
      pattern: '/',
      rule: 'public',
      doc: { summary: 'List the versions of the API', status: 200, answer: { schema: VERSIONS }, errors: [] },
      handle: (exchange) => {
        const links = [{ href: `${exchange.baseUrl}/v1`, target: 'v1', rel: 'self' }];
        exchange.sendJson(200, { versions: [{ id: 'v1.0', status: 'CURRENT', links }] });
      },
    },
    {
      method: 'GET',
      pattern: '/v1',
      rule: 'public',
      doc: { summary: 'Tell where version 1 is', status: 200, answer: { schema: VERSION_1 }, errors: [] },
      handle: (exchange) => exchange.sendJson(200, { uri: `${exchange.baseUrl}/v1` }),
    },
  ];
}

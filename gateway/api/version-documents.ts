import type { Operation } from './operation.ts';

/** What a client sees that knows only our address. */
export function versionRoutes(): Operation[] {
  return [
    {
      method: 'GET',
      pattern: '/',
      rule: 'public',
      doc: { summary: 'List the versions of the API', status: 200, answer: { schema: { type: 'object' } }, errors: [] },
      handle: (exchange) => {
        const links = [{ href: `${exchange.baseUrl}/v1`, target: 'v1', rel: 'self' }];
        exchange.sendJson(200, { versions: [{ id: 'v1.0', status: 'CURRENT', links }] });
      },
    },
    {
      method: 'GET',
      pattern: '/v1',
      rule: 'public',
      doc: { summary: 'Tell where version 1 is', status: 200, answer: { schema: { type: 'object' } }, errors: [] },
      handle: (exchange) => exchange.sendJson(200, { uri: `${exchange.baseUrl}/v1` }),
    },
  ];
}

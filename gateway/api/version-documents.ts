import type { Route } from '../http/routes.ts';

/** What a client sees that knows only our address. */
export function versionRoutes(): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/',
      handle: (exchange) => {
        const links = [{ href: `${exchange.baseUrl}/v1`, target: 'v1', rel: 'self' }];
        exchange.sendJson(200, { versions: [{ id: 'v1.0', status: 'CURRENT', links }] });
      },
    },
    { method: 'GET', pattern: '/v1', handle: (exchange) => exchange.sendJson(200, { uri: `${exchange.baseUrl}/v1` }) },
  ];
}

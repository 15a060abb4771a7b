import { QinlingError, notFound } from '../errors.ts';
import type { Route } from '../http/routes.ts';
import type { StoredFile } from '../storage/package-storage.ts';

export interface InternalOptions {
  /** True for the value of an `Authorization` header that proves an agent which may have the package. */
  readonly mayFetch: (authorization: string, digest: string) => Promise<boolean>;
  /** True while this process takes work. */
  readonly isReady: () => boolean;
  readonly openTar: (digest: string) => Promise<StoredFile | undefined>;
}

/** The internal listener's requests: packages for agents, and the probes of whatever looks after this process. */
export function internalRoutes({ mayFetch, isReady, openTar }: InternalOptions): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/healthz',
      rule: 'public',
      handle: (exchange) => exchange.send(200, 'ok\n', 'text/plain'),
    },
    {
      method: 'GET',
      pattern: '/readyz',
      rule: 'public',
      handle: (exchange) => exchange.send(isReady() ? 200 : 503, isReady() ? 'ok\n' : 'not ready\n', 'text/plain'),
    },
    {
      method: 'GET',
      pattern: '/packages/:digest',
      rule: 'public', // agents prove themselves by the token of the link
      handle: async (exchange) => {
        const digest = exchange.parameters[0]!;
        const authorization = exchange.header('authorization') ?? '';
        if (!(await mayFetch(authorization, digest))) throw new QinlingError('NOT_ALLOWED', 'wrong token');
        const file = /^[0-9a-f]{64}$/.test(digest) ? await openTar(digest) : undefined;
        if (file === undefined) throw notFound('no such package');
        await exchange.sendStream(200, { 'Content-Type': 'application/x-tar' }, file.bytes, file.stream);
      },
    },
  ];
}

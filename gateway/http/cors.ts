/** Cross-origin rules: which web pages may talk to us, and which may not even try. */

const ALLOWED_HEADERS =
  'X-Auth-Token,X-Identity-Status,X-Roles,X-Service-Catalog,X-User-Id,X-Tenant-Id,X-Project-Id,X-User-Name,X-Project-Name,Content-Type';
const EXPOSED_HEADERS =
  'X-Auth-Token,X-Subject-Token,X-Service-Token,X-Project-Id,X-User-Name,X-Project-Name,Server-Timing';
const METHODS = 'GET,PUT,POST,DELETE,PATCH';
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const WEBHOOK_INVOKE = /^\/+v1\/+webhooks\/+[^/]+\/+invoke\/*$/;

export interface CorsOptions {
  /** Origins of `cors.allowed_origin`; `*` allows every one. */
  readonly allowedOrigins: readonly string[];
  /** True while authentication is off: whoever reaches us may do everything. */
  readonly isOpen: boolean;
  /** True if only loopback addresses are listened on. */
  readonly isLoopbackOnly: boolean;
}

export class Cors {
  readonly #options: CorsOptions;

  constructor(options: CorsOptions) {
    this.#options = options;
  }

  isAllowed(origin: string): boolean {
    const { allowedOrigins } = this.#options;
    return allowedOrigins.includes('*') || allowedOrigins.includes(origin);
  }

  /** Headers of every answer to an allowed origin. */
  headers(origin: string): readonly (readonly [string, string])[] {
    return [
      ['Access-Control-Allow-Origin', origin],
      ['Access-Control-Expose-Headers', EXPOSED_HEADERS],
      ['Vary', 'Origin'],
    ];
  }

  preflightHeaders(origin: string): readonly (readonly [string, string])[] {
    return [
      ...this.headers(origin),
      ['Access-Control-Allow-Methods', METHODS],
      ['Access-Control-Allow-Headers', ALLOWED_HEADERS],
      ['Access-Control-Max-Age', '3600'],
    ];
  }

  /**
   * Why a request is refused whoever sends it, or undefined: a web page that somebody looks at must not run functions in
   * his name. Where nobody need authenticate, it must do so neither directly nor by a name that it resolves to loopback;
   * elsewhere not with the password that his browser remembers and sends along (a page has no token to send).
   */
  refuse(method: string, path: string, headers: ReadonlyMap<string, string>): string | undefined {
    const { isOpen, isLoopbackOnly } = this.#options;
    const origin = headers.get('origin') ?? '';
    const host = headers.get('host') ?? '';
    const isSentAlong = isOpen || headers.has('authorization');
    const changesState = method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
    if (isSentAlong && changesState && origin !== '' && !this.isAllowed(origin) && !WEBHOOK_INVOKE.test(path)) {
      return 'This origin is not allowed.';
    }
    if (isOpen && isLoopbackOnly && host !== '' && !LOOPBACK.test(host)) return 'This host name is not allowed.';
    return undefined;
  }
}

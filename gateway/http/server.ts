import uWS from 'uWebSockets.js';
import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import type { Access } from '../auth/access.ts';
import { OPEN_GUARD, type Guard } from '../auth/guard.ts';
import type { RuleName } from '../auth/rules.ts';
import { QinlingError, shuttingDown } from '../errors.ts';
import type { Cors } from './cors.ts';
import { Exchange, type ExchangeOptions, type RequestHead } from './exchange.ts';
import { cannotListen } from './port-probe.ts';
import { RouteTable, type Route } from './routes.ts';

/** uWebSockets.js' response; other files know it by this name only. */
export type NativeResponse = HttpResponse;
export type NativeApp = TemplatedApp;

export interface HttpServerOptions extends ExchangeOptions {
  readonly routes: readonly Route[];
  readonly cors: Cors;
  /** Adds what is not a request of a route (WebSockets). */
  readonly extend?: (app: NativeApp) => void;
}

/** What is done with a request; without a rule everybody may who proves who he is. */
type PlainRoute = Pick<Route, 'handle'> & { readonly rule: RuleName | undefined };
type PlainMatch = { readonly route: PlainRoute; readonly parameters: readonly string[] };

/**
 * Connections that are open at the end may have requests on their way: they get an answer, because a client whose
 * connection breaks off cannot tell whether its request was taken. When none came for so long, there are none.
 */
const LATECOMERS_MS = 50;

/**
 * Listens for HTTP and hands each request to its route; the door to uWebSockets.js for requests.
 *
 *   Closed --listen--> Listening --drain--> Draining (new requests get 503) --close--> Closed
 */
export class HttpServer {
  readonly #app: TemplatedApp;
  readonly #routes: RouteTable;
  readonly #options: HttpServerOptions;
  readonly #guard: Guard;
  readonly #open = new Set<Exchange>();
  #listenSocket: us_listen_socket | undefined;
  #port = 0;
  #isDraining = false;
  /** Of HTTP; an upgraded one is none any more. */
  #connectionCount = 0;
  #turnedAwayCount = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#guard = options.guard ?? OPEN_GUARD;
    this.#routes = new RouteTable(options.routes);
    this.#app = uWS.App();
    this.#app.filter((_res, change) => {
      this.#connectionCount += Number(change);
    });
    options.extend?.(this.#app);
    this.#app.any('/*', (res, req) => this.#onRequest(res, req));
  }

  get port(): number {
    return this.#port;
  }

  get openExchanges(): number {
    return this.#open.size;
  }

  /** Begins to listen; port 0 lets the system choose. Rejects with one readable line where the port is taken. */
  async listen(host: string, port: number): Promise<void> {
    const socket = await new Promise<us_listen_socket | false>((resolve) => {
      listenExclusively(this.#app, host, port, resolve);
    });
    if (socket === false) throw cannotListen(host, port);
    this.#listenSocket = socket;
    this.#port = uWS.us_socket_local_port(socket);
  }

  /**
   * Takes no new work, and says so to whoever asks for some; resolves when the open exchanges have ended, or after the
   * time, and nobody is on the way any more.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        setTimeout(resolve, timeoutMs).unref();
      });
    }
    await new Promise(setImmediate); // what waits to be accepted is, just before: the rest would be reset
    this.#stopListening();
    while (this.#connectionCount > 0) {
      const before = this.#turnedAwayCount;
      await new Promise((resolve) => setTimeout(resolve, LATECOMERS_MS));
      if (this.#turnedAwayCount === before) break;
    }
  }

  /** Ends every connection. May be called twice. */
  close(): void {
    this.#stopListening();
    this.#app.close();
  }

  #stopListening(): void {
    if (this.#listenSocket !== undefined) uWS.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
  }

  /** Hot. */
  #onRequest(res: HttpResponse, req: HttpRequest): void {
    const head = copyHead(req);
    const exchange = new Exchange(res, head, this.#options, () => this.#onExchangeEnd(exchange));
    this.#open.add(exchange);
    try {
      if (!this.#admit(exchange, head)) return;
      const { route, parameters } = this.#match(head);
      exchange.parameters = parameters;
      const access = this.#guard.admit(route.rule, head.headers);
      if (access instanceof Promise) this.#handleLater(exchange, route, access);
      else this.#handle(exchange, route, access);
    } catch (cause) {
      this.#refuse(exchange, cause);
    }
  }

  /** The route of a request; where there is none, one that says so to whoever may know. */
  #match(head: RequestHead): PlainMatch {
    try {
      return this.#routes.match(head.method, head.path);
    } catch (cause) {
      return { route: { rule: undefined, handle: (exchange) => this.#refuse(exchange, cause) }, parameters: [] };
    }
  }

  /** Hot. May throw. */
  #handle(exchange: Exchange, route: PlainRoute, access: Access): void {
    exchange.access = access;
    const handled = route.handle(exchange);
    handled?.then(
      () => exchange.release(),
      (cause: unknown) => {
        exchange.sendError(cause);
        exchange.release();
      },
    );
  }

  #handleLater(exchange: Exchange, route: PlainRoute, access: Promise<Access>): void {
    exchange.holdBody();
    access
      .then((found) => {
        if (!exchange.isAnswered) this.#handle(exchange, route, found);
      })
      .catch((cause: unknown) => this.#refuse(exchange, cause));
  }

  #refuse(exchange: Exchange, cause: unknown): void {
    const code = cause instanceof QinlingError ? cause.code : undefined;
    if (code === 'METHOD_NOT_ALLOWED') exchange.setHeader('Allow', this.#routes.allowed(exchange.path).join(', '));
    if (code === 'UNAUTHENTICATED') exchange.setHeader('WWW-Authenticate', this.#guard.challenge);
    exchange.sendError(cause);
  }

  /** True if the request goes on to its route; the others have their answer, or get it when they have come whole. */
  #admit(exchange: Exchange, { method, path, headers }: RequestHead): boolean {
    const { cors } = this.#options;
    const origin = headers.get('origin') ?? '';
    if (this.#isDraining) {
      this.#turnedAwayCount++;
      exchange.turnAway(shuttingDown());
      return false;
    }
    const refusal = cors.refuse(method, path, headers);
    if (refusal !== undefined) throw new QinlingError('NOT_ALLOWED', refusal);
    const isAllowed = origin !== '' && cors.isAllowed(origin);
    if (method === 'OPTIONS') {
      if (isAllowed) for (const [name, value] of cors.preflightHeaders(origin)) exchange.setHeader(name, value);
      exchange.setHeader('Allow', this.#routes.allowed(path).join(', '));
      exchange.send(200);
      return false;
    }
    if (isAllowed) for (const [name, value] of cors.headers(origin)) exchange.setHeader(name, value);
    return true;
  }

  #onExchangeEnd(exchange: Exchange): void {
    this.#open.delete(exchange);
    if (this.#open.size === 0) this.#onIdle?.();
  }
}

/** Without the exclusive option two processes could share a port; the package's types do not know it. */
function listenExclusively(
  app: TemplatedApp,
  host: string,
  port: number,
  onDone: (socket: us_listen_socket | false) => void,
): void {
  const { LIBUS_LISTEN_EXCLUSIVE_PORT: exclusive } = uWS as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number };
  const listen = app.listen.bind(app) as unknown as (
    host: string,
    port: number,
    options: number,
    onDone: (socket: us_listen_socket | false) => void,
  ) => void;
  listen(host, port, exclusive, onDone);
}

function copyHead(req: HttpRequest): RequestHead {
  const headers = new Map<string, string>();
  req.forEach((name, value) => headers.set(name, value));
  const length = headers.get('content-length');
  return {
    method: req.getMethod().toUpperCase(),
    path: req.getUrl(),
    query: req.getQuery() ?? '',
    headers,
    contentType: headers.get('content-type') ?? '',
    contentLength: length === undefined ? undefined : Number(length),
  };
}

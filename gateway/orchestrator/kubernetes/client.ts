import { setTimeout as sleep } from 'node:timers/promises';
import { HttpMethod, KubeConfig, Watch, type Configuration } from '@kubernetes/client-node';

const REQUEST_MS = 30_000;
const MAX_TRIES = 4;
const FIRST_RETRY_MS = 200;
/** Too many requests, or the server is not up (yet, or any more). */
const PASSING_STATUSES = new Set([429, 502, 503, 504]);

/** Any object of the API, as far as everybody knows it. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly resourceVersion?: string;
  readonly deletionTimestamp?: string;
}

export interface ObjectList<T> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

/** The server's refusal. */
export class ApiError extends Error {
  readonly status: number;
  /** `NotFound`, `AlreadyExists`, `Expired`, ... */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** How the server is reached. */
export interface ClusterAccess {
  /** URL; empty: as a pod of the cluster where we are one, else as kubectl does (KUBECONFIG, ~/.kube/config). */
  readonly host: string;
  /** For an https `host`; empty ones are left out. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

type Query = Readonly<Record<string, string>>;

/** `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` and their object, or `ERROR` and a status. */
export type OnEvent<T> = (type: string, object: T) => void;

const ContentType = {
  Apply: 'application/apply-patch+yaml',
  Merge: 'application/merge-patch+json',
  Strategic: 'application/strategic-merge-patch+json',
  Json: 'application/json',
} as const;

/**
 * The API server; the door to @kubernetes/client-node. Tokens and certificates are that package's matter: it renews what
 * is renewed on disk. What may be asked twice is asked again where the server is out for a moment.
 */
export class KubernetesClient {
  readonly #config: KubeConfig;
  readonly #http: Configuration;

  constructor(access: ClusterAccess) {
    this.#config = openConfig(access);
    this.#http = this.#config.makeApiClient(ConfigurationHolder).configuration;
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#retry(() => this.#request<T>('GET', path, query));
  }

  /** Makes the object or brings it to the given state, by server-side apply: what others set stays. */
  apply<T>(path: string, object: object, fieldManager: string): Promise<T> {
    const query = { fieldManager, force: 'true', fieldValidation: 'Strict' };
    return this.#retry(() => this.#request<T>('PATCH', path, query, object, ContentType.Apply));
  }

  /** Sets the given fields; null removes one. */
  merge<T>(path: string, change: object): Promise<T> {
    return this.#retry(() => this.#request<T>('PATCH', path, {}, change, ContentType.Merge));
  }

  /** Sets the given fields; items of lists that have names (containers, say) are found by them. */
  mergeByName<T>(path: string, change: object): Promise<T> {
    return this.#retry(() => this.#request<T>('PATCH', path, {}, change, ContentType.Strategic));
  }

  /** Not asked again: it may have been made. */
  create<T>(path: string, object: object): Promise<T> {
    return this.#request<T>('POST', path, {}, object, ContentType.Json);
  }

  /** One object, or all of a collection that the query selects. Resolves also where there is none. */
  async delete(path: string, query: Query = {}): Promise<void> {
    try {
      await this.#retry(() => this.#request('DELETE', path, query));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Follows a collection; resolves when the connection has ended, for whatever reason, or the signal aborts. */
  async watch<T>(path: string, query: Query, onEvent: OnEvent<T>, signal: AbortSignal): Promise<void> {
    const watch = new Watch(this.#config);
    await new Promise<void>((resolve, reject) => {
      const onDone = (error: unknown) => {
        signal.removeEventListener('abort', stop);
        if (error === null || error === undefined || signal.aborted || isSilence(error)) resolve();
        else reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
      };
      const request = watch.watch(path, query, (type, object) => onEvent(type, object as T), onDone);
      const stop = () => void request.then((controller) => controller.abort());
      signal.addEventListener('abort', stop);
      request.catch(onDone);
    });
  }

  async #retry<T>(request: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await request();
      } catch (error) {
        const isPassing = !(error instanceof ApiError) || PASSING_STATUSES.has(error.status);
        if (!isPassing || tries === MAX_TRIES) throw error;
        await sleep(FIRST_RETRY_MS * 2 ** (tries - 1) * (0.5 + Math.random()));
      }
    }
  }

  async #request<T>(method: keyof typeof HttpMethod, path: string, query: Query, body?: object, type?: string) {
    const request = this.#http.baseServer.makeRequestContext(path, HttpMethod[method]);
    for (const [name, value] of Object.entries(query)) request.setQueryParam(name, value);
    request.setHeaderParam('Accept', 'application/json');
    if (body !== undefined) {
      request.setHeaderParam('Content-Type', type!);
      request.setBody(JSON.stringify(body));
    }
    request.setSignal(AbortSignal.timeout(REQUEST_MS));
    await this.#config.applySecurityAuthentication(request);
    const response = await this.#http.httpApi.send(request).toPromise();
    const text = await response.body.text();
    if (response.httpStatusCode >= 400) throw toApiError(response.httpStatusCode, text);
    return (isJson(response.headers) ? JSON.parse(text) : text) as T;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** The package ends a watch that gave nothing for half a minute: the connection may be dead. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** How the package hands out what a generated client would be given. */
class ConfigurationHolder {
  readonly configuration: Configuration;

  constructor(configuration: Configuration) {
    this.configuration = configuration;
  }
}

function openConfig({ host, caFile, certFile, keyFile }: ClusterAccess): KubeConfig {
  const config = new KubeConfig();
  if (host === '') {
    if (process.env['KUBECONFIG'] === undefined && process.env['KUBERNETES_SERVICE_HOST'] !== undefined)
      config.loadFromCluster();
    else config.loadFromDefault();
    return config;
  }
  const isSecure = host.startsWith('https:');
  const name = 'configured';
  // The package takes plain http (a kubectl proxy) only where nothing is to be verified: there is no TLS to verify.
  const cluster = { name, server: host.replace(/\/+$/, ''), ...(isSecure ? {} : { skipTLSVerify: true }) };
  config.loadFromOptions({
    clusters: [isSecure && caFile !== '' ? { ...cluster, caFile } : cluster],
    users: [{ name, ...(isSecure && certFile !== '' ? { certFile, keyFile } : {}) }],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  });
  return config;
}

function toApiError(status: number, text: string): ApiError {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string };
    return new ApiError(status, reason ?? '', message ?? `the API server answered ${status}`);
  } catch {
    return new ApiError(status, '', `the API server answered ${status}`);
  }
}

function isJson(headers: Readonly<Record<string, string>>): boolean {
  return headers['content-type']?.startsWith('application/json') === true;
}

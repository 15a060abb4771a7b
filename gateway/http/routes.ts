import type { RuleName } from '../auth/rules.ts';
import { QinlingError } from '../errors.ts';
import type { Exchange } from './exchange.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Route {
  readonly method: Method;
  /** '/v1/functions/:id': a segment that begins with a colon is a parameter. */
  readonly pattern: string;
  /** Who may. */
  readonly rule: RuleName;
  readonly handle: (exchange: Exchange) => Promise<void> | void;
}

export interface Match {
  readonly route: Route;
  /** The values of the pattern's parameters, percent-decoded, in their order. */
  readonly parameters: readonly string[];
}

interface Entry {
  readonly segments: readonly string[];
  readonly byMethod: Map<string, Route>;
}

const NO_PARAMETERS: readonly string[] = [];

/** All routes, built once. Trailing and repeated slashes do not count: clients send both. */
export class RouteTable {
  readonly #exact = new Map<string, Entry>();
  readonly #withParameters = new Map<number, Entry[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  /** Hot. The route of a request; throws NOT_FOUND, or METHOD_NOT_ALLOWED with the methods that are. */
  match(method: string, path: string): Match {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return { route: this.#pick(exact, method), parameters: NO_PARAMETERS };
    const segments = path.split('/').filter((segment) => segment !== '');
    const normal = this.#exact.get(`/${segments.join('/')}`);
    if (normal !== undefined) return { route: this.#pick(normal, method), parameters: NO_PARAMETERS };
    for (const entry of this.#withParameters.get(segments.length) ?? []) {
      const parameters = matchSegments(entry.segments, segments);
      if (parameters !== undefined) return { route: this.#pick(entry, method), parameters };
    }
    throw new QinlingError('NOT_FOUND', 'The resource could not be found.');
  }

  /** The methods that a path allows, for CORS preflights and 405; empty for an unknown path. */
  allowed(path: string): string[] {
    const segments = path.split('/').filter((segment) => segment !== '');
    const exact = this.#exact.get(`/${segments.join('/')}`);
    const candidates = exact === undefined ? (this.#withParameters.get(segments.length) ?? []) : [exact];
    const entry = candidates.find((candidate) => matchSegments(candidate.segments, segments) !== undefined);
    return entry === undefined ? [] : methodsOf(entry);
  }

  #add(route: Route): void {
    const segments = route.pattern.split('/').filter((segment) => segment !== '');
    const hasParameters = segments.some((segment) => segment.startsWith(':'));
    const entry = this.#findOrMake(route.pattern, segments, hasParameters);
    entry.byMethod.set(route.method, route);
  }

  #findOrMake(pattern: string, segments: string[], hasParameters: boolean): Entry {
    const entry: Entry = { segments, byMethod: new Map() };
    if (!hasParameters) {
      const known = this.#exact.get(pattern);
      if (known === undefined) this.#exact.set(pattern, entry);
      return known ?? entry;
    }
    const entries = this.#withParameters.get(segments.length) ?? [];
    this.#withParameters.set(segments.length, entries);
    const known = entries.find((other) => other.segments.join('/') === segments.join('/'));
    if (known === undefined) entries.push(entry);
    return known ?? entry;
  }

  #pick(entry: Entry, method: string): Route {
    const route = entry.byMethod.get(method === 'HEAD' ? 'GET' : method);
    if (route === undefined)
      throw new QinlingError('METHOD_NOT_ALLOWED', 'The method is not allowed for this resource.');
    return route;
  }
}

function methodsOf(entry: Entry): string[] {
  const methods = [...entry.byMethod.keys()];
  return methods.includes('GET') ? [...methods, 'HEAD'] : methods;
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): string[] | undefined {
  const parameters: string[] = [];
  for (let index = 0; index < pattern.length; index++) {
    const expected = pattern[index]!;
    const segment = segments[index]!;
    if (expected.startsWith(':')) parameters.push(decode(segment));
    else if (expected !== segment) return undefined;
  }
  return parameters;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new QinlingError('INVALID_INPUT', 'The URL is not percent-encoded properly.');
  }
}

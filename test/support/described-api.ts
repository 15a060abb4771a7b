import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { OpenApi } from '../../gateway/api/description/openapi.ts';

/** An answer whose status, type and body are as the description of the API says. */
export interface DescribedAnswer {
  readonly status: number;
  readonly text: string;
  /** The body where it is JSON. */
  readonly json: Record<string, unknown>;
}

interface Described {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

const METHODS = ['get', 'post', 'put', 'delete'];

/** A user of a real server who holds it to the description that it gives of itself. */
export class DescribedApi {
  readonly #url: string;
  readonly #document: OpenApi;
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<string, ValidateFunction>();
  /** Operations and statuses that were met: `POST /v1/runtimes 201`. */
  readonly met = new Set<string>();

  private constructor(url: string, document: OpenApi) {
    this.#url = url;
    this.#document = document;
    this.#ajv = strictAjv(document);
  }

  static async open(url: string): Promise<DescribedApi> {
    const response = await fetch(`${url}/v1/openapi.json`);
    assert.equal(response.status, 200);
    return new DescribedApi(url, (await response.json()) as OpenApi);
  }

  get document(): OpenApi {
    return this.#document;
  }

  /** Every operation: `GET /v1/functions/{id}`. */
  get operations(): string[] {
    return Object.entries(this.#document.paths).flatMap(([path, item]) =>
      Object.keys(item)
        .filter((method) => METHODS.includes(method))
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  async request(method: string, path: string, init: RequestInit = {}): Promise<DescribedAnswer> {
    const response = await fetch(this.#url + path, { ...init, method });
    const text = await response.text();
    return this.#check(method, path, response, text);
  }

  json(method: string, path: string, body: unknown): Promise<DescribedAnswer> {
    return this.request(method, path, {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  #check(method: string, path: string, { status, headers }: Response, text: string): DescribedAnswer {
    const where = `${method} ${path} ${status}`;
    const template = this.#templateOf(path.split('?')[0]!);
    const operation = this.#document.paths[template]?.[method.toLowerCase()] as Described | undefined;
    assert.ok(operation !== undefined, `${where} is not described`);
    const key = String(status) in operation.responses ? String(status) : 'default';
    const content = operation.responses[key]!.content;
    this.met.add(`${method} ${template} ${status}`);
    if (content === undefined) {
      assert.equal(text, '', `${where}: a body that is not described`);
      return { status, text, json: {} };
    }
    const mediaType = (headers.get('content-type') ?? '').split(';')[0]!;
    assert.ok(mediaType in content, `${where}: ${mediaType} is not described`);
    if (mediaType !== 'application/json') return { status, text, json: {} };
    const json = JSON.parse(text) as Record<string, unknown>;
    const pointer = ['paths', template, method.toLowerCase(), 'responses', key, 'content', mediaType, 'schema'];
    const validate = this.#validatorOf(pointer);
    assert.ok(validate(json), `${where}: ${this.#ajv.errorsText(validate.errors)} in ${text.slice(0, 2_000)}`);
    return { status, text, json };
  }

  #templateOf(path: string): string {
    const templates = Object.keys(this.#document.paths);
    if (templates.includes(path)) return path;
    const isLike = (template: string) => new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
    return templates.find(isLike) ?? path;
  }

  #validatorOf(pointer: readonly string[]): ValidateFunction {
    const reference = `api#/${pointer.map(escapePart).join('/')}`;
    const known = this.#validators.get(reference) ?? this.#ajv.compile({ $ref: reference });
    this.#validators.set(reference, known);
    return known;
  }
}

/** Checks by a document's schemas; takes no attributes that they do not name. */
export function strictAjv(document: OpenApi): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(closed(document) as OpenApi, 'api');
  return ajv;
}

/** The same, where objects that name their properties have no others. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, part]) => [name, closed(part)] as const);
  const isOpen = 'properties' in value && typeof value.properties === 'object' && !('additionalProperties' in value);
  return { ...Object.fromEntries(entries), ...(isOpen ? { additionalProperties: false } : undefined) };
}

function escapePart(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

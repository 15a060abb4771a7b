import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { zipOf } from './zip.ts';

/** A resource as the API shows it. */
export type Resource = Record<string, unknown> & { readonly id: string };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface FunctionSource {
  readonly runtime?: string;
  readonly files: Readonly<Record<string, string>>;
  readonly entry?: string;
  readonly timeout?: number;
  readonly memorySize?: number;
  readonly cpu?: number;
}

/** Tests read `result` and `output` by this: the value, and how long it ran. */
export interface ExecutionResult {
  readonly output: unknown;
  readonly duration?: number;
}

const POLL_MS = 50;

/** A user of the REST API who expects it to work: an unexpected status fails the test with the answer's text. */
export class Api {
  readonly #url: string;
  readonly #send: typeof fetch;

  constructor(url: string, send: typeof fetch = fetch) {
    this.#url = url;
    this.#send = send;
  }

  async request(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { 'Content-Type': 'application/json' };
    const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
    return toAnswer(await this.#send(this.#url + path, init));
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.request('GET', path);
    assert.equal(answer.status, 200, answer.text);
    return JSON.parse(answer.text) as T;
  }

  /** The id of a runtime that this machine offers, once it is available; undefined where it has no such language. */
  async findRuntime(name: string): Promise<string | undefined> {
    const { runtimes } = await this.get<{ runtimes: Resource[] }>('/v1/runtimes');
    const found = runtimes.find((runtime) => runtime['name'] === name);
    if (found === undefined) return undefined;
    await this.until(`/v1/runtimes/${found.id}`, (runtime) => runtime['status'] === 'available');
    return found.id;
  }

  async createFunction(source: FunctionSource): Promise<Resource> {
    const runtime = source.runtime ?? 'python3';
    const runtimeId = await this.findRuntime(runtime);
    assert.ok(runtimeId !== undefined, `this machine offers no runtime ${runtime}`);
    const form = new FormData();
    form.set('runtime_id', runtimeId);
    form.set('code', '{"source": "package"}');
    if (source.entry !== undefined) form.set('entry', source.entry);
    if (source.timeout !== undefined) form.set('timeout', String(source.timeout));
    if (source.memorySize !== undefined) form.set('memory_size', String(source.memorySize));
    if (source.cpu !== undefined) form.set('cpu', String(source.cpu));
    form.set('package', new Blob([zipOf(source.files)]), 'package.zip');
    const answer = await toAnswer(await this.#send(`${this.#url}/v1/functions`, { method: 'POST', body: form }));
    assert.equal(answer.status, 201, answer.text);
    return JSON.parse(answer.text) as Resource;
  }

  /** Gives a function another name, or other code. */
  async changeFunction(id: string, { name, files }: Partial<FunctionSource> & { name?: string }): Promise<Resource> {
    const form = new FormData();
    if (name !== undefined) form.set('name', name);
    if (files !== undefined) form.set('package', new Blob([zipOf(files)]), 'package.zip');
    const answer = await toAnswer(await this.#send(`${this.#url}/v1/functions/${id}`, { method: 'PUT', body: form }));
    assert.equal(answer.status, 200, answer.text);
    return JSON.parse(answer.text) as Resource;
  }

  /** Runs a function and waits for its end. */
  async execute(functionId: string, input?: unknown): Promise<Resource> {
    const body = { function_id: functionId, input: input === undefined ? null : JSON.stringify(input) };
    const answer = await this.request('POST', '/v1/executions', body);
    assert.equal(answer.status, 201, answer.text);
    return JSON.parse(answer.text) as Resource;
  }

  /** Has a function run later; resolves with the execution's id. */
  async executeLater(functionId: string, input?: unknown): Promise<string> {
    const text = input === undefined ? null : JSON.stringify(input);
    const body = { function_id: functionId, input: text, sync: false };
    const answer = await this.request('POST', '/v1/executions', body);
    assert.equal(answer.status, 201, answer.text);
    return (JSON.parse(answer.text) as Resource).id;
  }

  async log(executionId: string): Promise<string> {
    const answer = await this.request('GET', `/v1/executions/${executionId}/log`);
    assert.equal(answer.status, 200, answer.text);
    return answer.text;
  }

  /** Asks again until the resource is as wanted (the runner's time limit ends a wait for ever). */
  async until(path: string, isAsWanted: (resource: Resource) => boolean): Promise<Resource> {
    for (;;) {
      const resource = await this.get<Resource>(path);
      if (isAsWanted(resource)) return resource;
      await sleep(POLL_MS);
    }
  }
}

/** What a finished execution returned. */
export function resultOf(execution: Resource): ExecutionResult {
  assert.equal(typeof execution['result'], 'string', JSON.stringify(execution));
  return JSON.parse(execution['result'] as string) as ExecutionResult;
}

async function toAnswer(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

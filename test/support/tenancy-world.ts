import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../gateway/config/load.ts';
import { startGateway, type StartedGateway } from '../../gateway/gateway.ts';
import { openLog } from '../../gateway/log.ts';
import { knownUser, writeCredentials, type KnownUser } from './credentials.ts';
import { makeFolder, serverEnvironment, type Cleaner } from './server.ts';
import { zipOf } from './zip.ts';

/** An answer with its body read. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The body as JSON; empty where it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

export type Body = FormData | Readonly<Record<string, unknown>>;

/** Somebody who asks, with his token or without. */
export class Caller {
  readonly name: string;
  readonly project: string;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, user: KnownUser | undefined, token = user?.token) {
    this.name = user?.name ?? 'nobody';
    this.project = user?.project ?? '';
    this.#url = url;
    this.#headers = token === undefined ? {} : { 'X-Auth-Token': token };
  }

  async ask(method: string, path: string, body?: Body): Promise<Reply> {
    const isForm = body instanceof FormData;
    const headers = {
      ...this.#headers,
      ...(body === undefined || isForm ? {} : { 'Content-Type': 'application/json' }),
    };
    const init = body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) };
    const response = await fetch(this.#url + path, { method, headers, ...init });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, text, headers: response.headers, json };
  }

  /** The same where it must work; resolves with the body. */
  async must(method: string, path: string, body?: Body): Promise<Readonly<Record<string, unknown>>> {
    const { status, text, json } = await this.ask(method, path, body);
    assert.ok(status < 300, `${this.name}: ${method} ${path}: ${status} ${text}`);
    return json;
  }
}

/** Two members of it, one of them an administrator, and things that are theirs alone. Everything is named `mark`. */
export class Project {
  readonly name: string;
  readonly mark: string;
  readonly member: Caller;
  readonly admin: Caller;
  #runtimeId = '';

  constructor(name: string, member: Caller, admin: Caller) {
    this.name = name;
    this.mark = `secret-of-${name}`;
    this.member = member;
    this.admin = admin;
  }

  /** A runtime that other projects do not see, and that is available. */
  get runtimeId(): string {
    return this.#runtimeId;
  }

  async start(): Promise<void> {
    this.#runtimeId = await this.newRuntime();
    for (;;) {
      const { status } = await this.admin.must('GET', `/v1/runtimes/${this.#runtimeId}`);
      if (status === 'available') return;
      await sleep(20);
    }
  }

  async newRuntime(): Promise<string> {
    const body = { image: 'python3', name: this.mark, is_public: false };
    return idOf(await this.admin.must('POST', '/v1/runtimes', body));
  }

  functionForm(): FormData {
    const form = new FormData();
    form.set('name', this.mark);
    form.set('runtime_id', this.#runtimeId);
    form.set('code', '{"source": "package"}');
    const main = `def main():\n    print('${this.mark}')\n    return '${this.mark}'\n`;
    form.set('package', new Blob([zipOf({ 'main.py': main })]), 'p.zip');
    return form;
  }

  async newFunction(): Promise<string> {
    return idOf(await this.member.must('POST', '/v1/functions', this.functionForm()));
  }

  /** A function with its first version. */
  async newVersionedFunction(): Promise<string> {
    const id = await this.newFunction();
    await this.member.must('POST', `/v1/functions/${id}/versions`, { description: this.mark });
    return id;
  }

  /** Of an alias to a new function. Its name tells nothing: it is in paths, and so in answers. */
  async aliasBody(): Promise<{ readonly name: string; readonly function_id: string; readonly description: string }> {
    return { name: randomUUID(), function_id: await this.newFunction(), description: this.mark };
  }

  /** The name of a new alias. */
  async newAlias(): Promise<string> {
    const body = await this.aliasBody();
    await this.member.must('POST', '/v1/aliases', body);
    return body.name;
  }

  async newJob(): Promise<string> {
    return idOf(await this.member.must('POST', '/v1/jobs', await this.jobBody()));
  }

  /** Of a job that runs only long after the test. */
  async jobBody(): Promise<Readonly<Record<string, unknown>>> {
    const [functionId, time] = [await this.newFunction(), '2100-01-01T00:00:00Z'];
    return { name: this.mark, function_id: functionId, first_execution_time: time, function_input: '{}' };
  }

  async newWebhook(): Promise<string> {
    return idOf(await this.member.must('POST', '/v1/webhooks', await this.webhookBody()));
  }

  async webhookBody(): Promise<Readonly<Record<string, unknown>>> {
    return { function_id: await this.newFunction(), description: this.mark };
  }

  /** Of an asynchronous execution that has come to its end. */
  async newFailedExecution(): Promise<string> {
    const form = this.functionForm();
    form.set('entry', 'main.missing');
    const functionId = idOf(await this.member.must('POST', '/v1/functions', form));
    const body = { function_id: functionId, description: this.mark, sync: false };
    const id = idOf(await this.member.must('POST', '/v1/executions', body));
    const { status } = await this.member.must('GET', `/v1/executions/${id}?wait=60`);
    assert.equal(status, 'failed');
    return id;
  }

  async newExecution(): Promise<string> {
    const body = { function_id: await this.newFunction(), description: this.mark };
    return idOf(await this.member.must('POST', '/v1/executions', body));
  }
}

export function idOf(json: Readonly<Record<string, unknown>>): string {
  assert.equal(typeof json['id'], 'string', JSON.stringify(json));
  return json['id'] as string;
}

/** The whole service with authentication on; two projects, and administrators of a third one. */
export interface World {
  readonly gateway: StartedGateway;
  readonly nobody: Caller;
  readonly stranger: Caller;
  readonly operator: Caller;
  readonly one: Project;
  readonly other: Project;
}

export async function openWorld(cleaner: Cleaner): Promise<World> {
  const { path: folder } = makeFolder(cleaner);
  const users = {
    memberOfOne: knownUser('alice', 'one'),
    adminOfOne: knownUser('anna', 'one', 'admin'),
    memberOfOther: knownUser('bob', 'other'),
    adminOfOther: knownUser('ben', 'other', 'admin'),
    operator: knownUser('olga', 'ops', 'admin'),
  };
  const environment = {
    ...serverEnvironment(folder),
    QINLING_API_HOST: '127.0.0.1',
    QINLING_AUTH_TYPE: 'static',
    QINLING_AUTH_CREDENTIALS_FILE: await writeCredentials(folder, Object.values(users)),
    QINLING_LOCAL_WORKERS: '64',
  };
  const { config } = loadConfig({ configFile: undefined, environment, overrides: new Map() });
  const gateway = await startGateway(config, openLog({ level: 'error' }));
  cleaner.after(() => gateway.stop());
  const caller = (user: KnownUser) => new Caller(gateway.address, user);
  const world = {
    gateway,
    nobody: new Caller(gateway.address, undefined),
    stranger: new Caller(gateway.address, users.memberOfOne, 'qinling_wrong'),
    operator: caller(users.operator),
    one: new Project('one', caller(users.memberOfOne), caller(users.adminOfOne)),
    other: new Project('other', caller(users.memberOfOther), caller(users.adminOfOther)),
  };
  await Promise.all([world.one.start(), world.other.start()]);
  return world;
}

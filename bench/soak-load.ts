import { setTimeout as sleep } from 'node:timers/promises';
import { zipOf } from '../test/support/zip.ts';
import { HELLO, LANGUAGES, callBody, createHello } from './hello.ts';
import { HttpClient, formBody, jsonBody, jsonTextBody } from './http-client.ts';
import type { Product } from './product.ts';

const BETWEEN_MS = 10;
const ASYNC_AT_ONCE = 50;
const PAGE = 100;
const FAILING = { 'main.py': "def main(**kwargs):\n    raise ValueError('on purpose')\n" };

/** Something that a user does again and again, over a connection of his own. */
type Act = (client: HttpClient) => Promise<void>;

/** Users of all kinds at once, until they are stopped. The first of them that is answered wrongly ends it. */
export class SoakLoad {
  readonly #acts: readonly (readonly [name: string, act: Act])[];
  readonly #counts = new Map<string, number>();
  readonly #running: Promise<unknown>;
  #isStopped = false;

  static async start(product: Product): Promise<SoakLoad> {
    const ids: string[] = [];
    for (const language of LANGUAGES) ids.push((await createHello(product, language)).id);
    const failing = await product.createFunction({ files: FAILING });
    const calls = ids.map((id, at) => [`sync calls, ${LANGUAGES[at]}`, syncCall(product, id)] as const);
    const others: readonly (readonly [string, Act])[] = [
      ['failing calls', paced(syncCall(product, failing.id))],
      ['asynchronous calls', asyncCalls(product, ids[0]!)],
      ['lists', paced(readLists(product, ids[0]!))],
      ['uploads, calls and deletes', paced(newFunction(product, await runtimeIds(product)))],
      ['deletes of executions', paced(deleteExecution(product))],
    ];
    return new SoakLoad([...calls, ...others]);
  }

  private constructor(acts: readonly (readonly [string, Act])[]) {
    this.#acts = acts;
    this.#running = Promise.all(this.#acts.map(([name, act]) => this.#repeat(name, act)));
    this.#running.catch(() => undefined); // whoever stops it hears of it
  }

  /** How often each was done. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** Rejects when one of them fails. */
  get failed(): Promise<unknown> {
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #repeat(name: string, act: Act): Promise<void> {
    const client = new HttpClient();
    try {
      for (let count = 1; !this.#isStopped; count++) {
        await act(client);
        this.#counts.set(name, count);
      }
    } catch (cause) {
      this.#isStopped = true;
      throw new Error(`${name}: ${(cause as Error).message}`, { cause });
    } finally {
      client.close();
    }
  }
}

/** Not so often: a user with something else to do. */
function paced(act: Act): Act {
  return async (client) => {
    await act(client);
    await sleep(BETWEEN_MS);
  };
}

function syncCall({ executionsUrl }: Product, functionId: string): Act {
  const body = jsonTextBody(callBody(functionId));
  return async (client) => void (await client.ask('POST', executionsUrl, 201, body));
}

/** Many are accepted, then the last one is awaited. */
function asyncCalls({ executionsUrl }: Product, functionId: string): Act {
  const body = jsonBody({ function_id: functionId, sync: false });
  return async (client) => {
    let answer = '';
    for (let count = 0; count < ASYNC_AT_ONCE; count++) {
      answer = (await client.ask('POST', executionsUrl, 201, body)).toString();
    }
    const { id } = JSON.parse(answer) as { id: string };
    while (answer.includes('"status":"running"')) {
      await sleep(BETWEEN_MS);
      answer = (await client.ask('GET', `${executionsUrl}/${id}`, 200)).toString();
    }
  };
}

function readLists({ url }: Product, functionId: string): Act {
  const paths = [
    `/v1/executions?limit=${PAGE}`,
    `/v1/executions?limit=${PAGE}&function_id=${functionId}`,
    `/v1/executions?limit=${PAGE}&status=neq:success`,
    `/v1/functions?limit=${PAGE}`,
    '/v1/runtimes',
  ];
  return async (client) => {
    for (const path of paths) await client.ask('GET', url + path, 200);
  };
}

/** Uploads a function, calls it, and deletes it, in one language after the other. */
function newFunction({ url, executionsUrl }: Product, runtimes: readonly string[]): Act {
  let round = 0;
  return async (client) => {
    const at = round++ % LANGUAGES.length;
    const fields = { runtime_id: runtimes[at]!, code: '{"source": "package"}' };
    const form = await formBody({ ...fields, package: zipOf(HELLO[LANGUAGES[at]!]!) });
    const { id } = JSON.parse((await client.ask('POST', `${url}/v1/functions`, 201, form)).toString()) as {
      id: string;
    };
    await client.ask('POST', executionsUrl, 201, jsonTextBody(callBody(id)));
    await client.ask('DELETE', `${url}/v1/functions/${id}`, 204);
  };
}

async function runtimeIds({ api }: Product): Promise<string[]> {
  return Promise.all(LANGUAGES.map(async (language) => (await api.findRuntime(language))!));
}

/** The oldest one that is there; another user, or the gateway itself, may have been faster. */
function deleteExecution({ executionsUrl }: Product): Act {
  return async (client) => {
    const answer = await client.ask('GET', `${executionsUrl}?limit=1&status=success`, 200);
    const [first] = (JSON.parse(answer.toString()) as { executions: { id: string }[] }).executions;
    if (first === undefined) return;
    const response = await client.open('DELETE', `${executionsUrl}/${first.id}`);
    response.resume();
    const { statusCode = 0 } = response;
    if (statusCode !== 204 && statusCode !== 404) throw new Error(`a delete was answered ${statusCode}`);
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Api, resultOf, type Resource } from '../test/support/api.ts';
import { makeFolder, Server } from '../test/support/server.ts';
import type { CleanUp } from './clean-up.ts';

const ECHO_SERVER = fileURLToPath(new URL('./echo-server.js', import.meta.url));
const CPU_MILLICORES = 4000;

/** The same small function in each language that is measured. */
const HELLO: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  python3: { 'main.py': "def main(name='World', **kwargs):\n    return 'Hello, %s' % name\n" },
  nodejs: { 'main.js': 'exports.main = (context, { name }) => `Hello, ${name}`;\n' },
};
const INPUT = { name: 'Qinling' };
const ANSWER = 'Hello, Qinling';

export const LANGUAGES: readonly string[] = Object.keys(HELLO);

/** The product as users start it, in a process of its own, on ports that the system chooses. */
export class Product {
  readonly #api: Api;
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
    this.#api = new Api(url);
  }

  static async start(cleanUp: CleanUp): Promise<Product> {
    const { path } = makeFolder(cleanUp);
    const configFile = join(path, 'qinling.conf');
    writeFileSync(configFile, '[DEFAULT]\nlog_level = warn\n');
    const server = await Server.start(cleanUp, path, { args: ['--config-file', configFile] });
    cleanUp.after(() => server.stop());
    return new Product(server.url);
  }

  get executionsUrl(): string {
    return `${this.#url}/v1/executions`;
  }

  /** Uploads the hello function of a language. */
  async createHello(language: string): Promise<Resource> {
    return this.#api.createFunction({ runtime: language, files: HELLO[language]!, cpu: CPU_MILLICORES });
  }

  /** Calls it, and checks what it returns. */
  async callHello(functionId: string): Promise<Resource> {
    const execution = await this.#api.execute(functionId, INPUT);
    const { output } = resultOf(execution);
    if (output !== ANSWER) throw new Error(`the function returned ${JSON.stringify(output)}`);
    return execution;
  }

  async untilRuntimesAreUp(): Promise<void> {
    for (const language of LANGUAGES) {
      if ((await this.#api.findRuntime(language)) === undefined)
        throw new Error(`no runtime ${language} on this machine`);
    }
  }

  /** An answer of 201 may tell of a failed function: the records know. */
  async checkThatAllSucceeded(): Promise<void> {
    const { executions } = await this.#api.get<{ executions: Resource[] }>('/v1/executions?status=neq:success');
    if (executions.length > 0)
      throw new Error(`${executions.length} executions failed: ${JSON.stringify(executions[0])}`);
  }

  async delete(functionId: string): Promise<void> {
    const { status, text } = await this.#api.request('DELETE', `/v1/functions/${functionId}`);
    if (status !== 204) throw new Error(text);
  }
}

/** The body of a request that calls the hello function. */
export function callBody(functionId: string): string {
  return JSON.stringify({ function_id: functionId, input: JSON.stringify(INPUT) });
}

/** Starts the bare server whose answers have so many bytes; resolves with its URL. */
export async function startEcho(cleanUp: CleanUp, answerBytes: number): Promise<string> {
  const child = spawn(process.execPath, [ECHO_SERVER, String(answerBytes)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  cleanUp.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const [port] = (await Promise.race([once(child.stdout, 'data'), ended])) as [unknown];
  if (!(port instanceof Buffer)) throw new Error('the echo server did not start');
  return `http://127.0.0.1:${port.toString().trim()}/`;
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api, type FunctionSource, type Resource } from '../test/support/api.ts';
import { makeFolder, Server } from '../test/support/server.ts';
import type { CleanUp } from './clean-up.ts';
import { Observer } from './observer.ts';

/** CPU of the functions that are measured: as much as they can use. */
export const CPU_MILLICORES = 4000;

/** The product as users start it, in a process of its own, on ports that the system chooses. */
export class Product {
  readonly api: Api;
  readonly url: string;
  readonly pid: number;
  readonly #server: Server;
  #isEnded = false;
  /** How long it took from the start of the process until it listened. */
  readonly startMs: number;

  private constructor(server: Server, startMs: number) {
    this.#server = server;
    this.url = server.url;
    this.pid = server.run.pid;
    this.startMs = startMs;
    this.api = new Api(server.url);
  }

  /** `environment`: options that are not as they usually are. `folder`: where its data is, or will be. */
  static async start(
    cleanUp: CleanUp,
    environment: Readonly<Record<string, string>> = {},
    folder = makeFolder(cleanUp).path,
  ): Promise<Product> {
    const configFile = join(folder, 'qinling.conf');
    writeFileSync(configFile, '[DEFAULT]\nlog_level = warn\n');
    const begunAtMs = performance.now();
    const server = await Server.start(cleanUp, folder, { args: ['--config-file', configFile], environment });
    const startMs = performance.now() - begunAtMs;
    const product = new Product(server, startMs);
    cleanUp.after(() => product.stop());
    return product;
  }

  /** With a calm probe in its process. */
  static async startObserved(
    cleanUp: CleanUp,
    environment: Readonly<Record<string, string>> = {},
    folder = makeFolder(cleanUp).path,
  ): Promise<{ product: Product; observer: Observer }> {
    const observer = new Observer(join(folder, `probe-${nextProbe++}`), true);
    const product = await Product.start(cleanUp, { ...observer.environment, ...environment }, folder);
    return { product, observer };
  }

  /** As a service manager does. May be called twice. */
  async stop(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await this.#server.stop();
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    this.#isEnded = true;
    await this.#server.kill();
  }

  get executionsUrl(): string {
    return `${this.url}/v1/executions`;
  }

  /** Uploads a function that may use what the machine has. */
  createFunction(source: FunctionSource): Promise<Resource> {
    return this.api.createFunction({ cpu: CPU_MILLICORES, ...source });
  }

  async untilRuntimesAreUp(languages: readonly string[]): Promise<void> {
    for (const language of languages) {
      if ((await this.api.findRuntime(language)) === undefined)
        throw new Error(`no runtime ${language} on this machine`);
    }
  }

  /** An answer of 201 may tell of a failed function: the records know. Calls that were broken off may still run. */
  async checkThatAllSucceeded(): Promise<void> {
    const { executions } = await this.api.get<{ executions: Resource[] }>(
      '/v1/executions?status=in:failed,error&limit=1',
    );
    if (executions.length > 0) throw new Error(`executions failed: ${JSON.stringify(executions[0]).slice(0, 500)}`);
  }

  async delete(functionId: string): Promise<void> {
    const { status, text } = await this.api.request('DELETE', `/v1/functions/${functionId}`);
    if (status !== 204) throw new Error(text);
  }
}

let nextProbe = 0;

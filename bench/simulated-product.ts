import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../test/support/server.ts';
import type { CleanUp } from './clean-up.ts';
import { Fleet } from './fleet.ts';
import { fillStore } from './filled-store.ts';
import { freePort } from './free-port.ts';
import { ANSWER } from './hello.ts';
import type { Observer } from './observer.ts';
import { Product } from './product.ts';

/** A language that no machine has: its functions run on simulated agents only. */
const RUNTIME = 'simulated';
const DEFINITION = {
  name: RUNTIME,
  description: 'Answered by simulated agents',
  commands: ['qinling-simulated-language'],
  probe: [],
  accept: 'never',
  run: [],
  host: 'none',
  images: [],
};
const TOKEN = 'bench';

export interface SimulatedOptions {
  readonly functions: number;
  readonly agents: number;
  readonly workersEach: number;
}

/** The product with simulated agents, and functions that they serve. */
export class SimulatedProduct {
  readonly functionIds: readonly string[];
  readonly #cleanUp: CleanUp;
  readonly #folder: string;
  readonly #port: number;
  readonly #workersEach: number;
  readonly #fleets: Fleet[] = [];
  #agents = 0;
  #running: { readonly product: Product; readonly observer: Observer } | undefined;

  private constructor(cleanUp: CleanUp, folder: string, port: number, workersEach: number, ids: readonly string[]) {
    this.#cleanUp = cleanUp;
    this.#folder = folder;
    this.#port = port;
    this.#workersEach = workersEach;
    this.functionIds = ids;
  }

  /** Resolves when it listens and its agents are there. */
  static async start(
    cleanUp: CleanUp,
    { functions, agents, workersEach }: SimulatedOptions,
  ): Promise<SimulatedProduct> {
    const folder = makeFolder(cleanUp).path;
    makeRuntime(folder);
    const ids = await fillStore(folder, { runtime: RUNTIME, functions, executions: 0 });
    const port = await freePort(); // the same after a restart, so that agents find it again
    const simulated = new SimulatedProduct(cleanUp, folder, port, workersEach, ids);
    simulated.#startFleet(agents);
    await simulated.#startProduct();
    await simulated.untilAllReady();
    return simulated;
  }

  get product(): Product {
    return this.#running!.product;
  }

  get observer(): Observer {
    return this.#running!.observer;
  }

  /** Resolves when so many more agents are there. */
  async addAgents(agents: number): Promise<void> {
    this.#startFleet(agents);
    await this.untilAllReady();
  }

  /** Resolves when every link is up, with the time of the last one, milliseconds since 1970. */
  async untilAllReady(): Promise<number> {
    return Math.max(...(await Promise.all(this.#fleets.map((fleet) => fleet.untilAllReady()))));
  }

  /**
   * Ends the process as a power cut does, and starts another one with the same records. Resolves when it listens, with the
   * time at which it was started, milliseconds since 1970.
   */
  async restart(): Promise<number> {
    const away = this.#fleets.map((fleet) => fleet.untilSomeAway());
    await this.product.kill();
    await Promise.all(away);
    const startedAtMs = Date.now();
    await this.#startProduct();
    return startedAtMs;
  }

  /** Ends the product, and then its agents. */
  async stop(): Promise<void> {
    await this.product.stop();
    await Promise.all(this.#fleets.map((fleet) => fleet.close()));
  }

  async #startProduct(): Promise<void> {
    const environment = {
      QINLING_INTERNAL_PORT: String(this.#port),
      QINLING_INTERNAL_TOKEN: TOKEN,
      QINLING_LOCAL_RUNTIMES_DIR: join(this.#folder, 'runtimes'),
    };
    this.#running = await Product.startObserved(this.#cleanUp, environment, this.#folder);
  }

  #startFleet(agents: number): void {
    const fleet = Fleet.start(this.#cleanUp, {
      url: `ws://127.0.0.1:${this.#port}`,
      token: TOKEN,
      pool: RUNTIME,
      agents,
      firstNumber: this.#agents,
      workersEach: this.#workersEach,
      output: JSON.stringify(ANSWER),
    });
    this.#agents += agents;
    this.#fleets.push(fleet);
  }
}

function makeRuntime(folder: string): void {
  const path = join(folder, 'runtimes', RUNTIME);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'runtime.json'), JSON.stringify(DEFINITION));
}

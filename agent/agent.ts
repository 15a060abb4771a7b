import { join } from 'node:path';
import type { Logger } from 'pino';
import type { AgentConfig } from './config.ts';
import { GatewayLink, GatewayLinkState } from './gateway-link.ts';
import { HostSocket } from './host-socket.ts';
import { Isolation } from './isolation.ts';
import type { LanguageHost } from './language-host.ts';
import { openHosts } from './open-hosts.ts';
import { PackageCache } from './package-cache.ts';
import { Worker, type WorkerContext } from './worker.ts';

/** For the count of user ids only: a few more or less do not matter. */
const PROCESSES_PER_WORKER = 4;
const SPARE_PROCESSES = 32;

/** All parts of an agent, wired: link, workers, package cache, language hosts. */
export class Agent {
  readonly #link: GatewayLink;
  readonly #workers: readonly Worker[];
  readonly #hosts: readonly LanguageHost[];
  readonly #socket: HostSocket;
  readonly #packages: PackageCache;
  readonly #isolation: Isolation;
  #isClosed = false;

  /** Opens the language hosts and dials the gateway. */
  static async start(config: AgentConfig, token: () => string, log: Logger): Promise<Agent> {
    const processCount = config.workerCount * PROCESSES_PER_WORKER + SPARE_PROCESSES;
    const isElsewhere = config.pool !== '';
    const isolation = await Isolation.open(isElsewhere ? 'elsewhere' : config.isolation, processCount);
    log.info(isolation.describe());
    const socket = new HostSocket(join(config.workDirectory, 'hosts.sock'), isElsewhere);
    await socket.listen();
    const hosts = await openHosts(config, socket, isolation, log);
    const agent = new Agent(config, token, log, isolation, socket, hosts);
    agent.#link.connect();
    return agent;
  }

  private constructor(
    config: AgentConfig,
    token: () => string,
    log: Logger,
    isolation: Isolation,
    socket: HostSocket,
    hosts: readonly LanguageHost[],
  ) {
    this.#isolation = isolation;
    this.#socket = socket;
    this.#hosts = hosts;
    const { gatewayUrl: url, agentName, workerCount, maxCacheBytes: maxBytes, packageStore } = config;
    const directory = join(config.workDirectory, 'packages');
    const onWarning = (text: string) => log.warn(text);
    this.#packages = new PackageCache({ directory, url, token, storeDirectory: packageStore, maxBytes, onWarning });
    const context: WorkerContext = {
      hosts: new Map(hosts.map((host) => [host.runtime.name, host])),
      packages: this.#packages,
      send: (message) => this.#link.send(message),
      sendResult: (result) => this.#link.sendResult(result),
      onWarning,
      concurrency: 1,
      maxOutputBytes: 0,
    };
    this.#workers = Array.from({ length: workerCount }, (_, index) => new Worker(index, context));
    const pools = hosts.map((host) => host.runtime.name).sort();
    this.#link = new GatewayLink(
      { url: url.replace(/^http/, 'ws'), token, agentName, pools, workerCount, log: hostLog(log) },
      {
        onWelcome: (welcome) => {
          context.concurrency = welcome.concurrency;
          context.maxOutputBytes = welcome.maxOutputBytes;
        },
        onBind: (bind) => this.#workers[bind.worker]?.bind(bind),
        onUnbind: (worker) => this.#workers[worker]?.unbind(),
        onInvoke: (invoke) => this.#workers[invoke.worker]?.invoke(invoke),
        onFollow: (worker, executionId, onLog) => this.#workers[worker]?.follow(executionId, onLog),
        boundTargets: () =>
          this.#workers.flatMap((worker): [number, string][] =>
            worker.targetKey === undefined ? [] : [[worker.index, worker.targetKey]],
          ),
      },
    );
  }

  /** True while the gateway may give it work. */
  get isReady(): boolean {
    return this.#link.state === GatewayLinkState.Ready && !this.#isClosed;
  }

  /** Lets what runs end, for so long at most, then ends every process. May be called twice. */
  async close(drainMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (drainMs > 0) await this.#link.drain(drainMs);
    this.#link.close();
    await Promise.all(this.#hosts.map((host) => host.close()));
    await Promise.all(this.#workers.map((worker) => worker.close()));
    await this.#socket.close();
    await this.#packages.close();
    this.#isolation.close();
  }
}

function hostLog(log: Logger) {
  return { info: (text: string) => log.info(text), warn: (text: string) => log.warn(text) };
}

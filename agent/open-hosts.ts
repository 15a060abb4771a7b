import { join } from 'node:path';
import type { Logger } from 'pino';
import { AwaitedParent } from './awaited-parent.ts';
import { AWAITED_PARENT_NAME, type AgentConfig } from './config.ts';
import type { HostSocket } from './host-socket.ts';
import { makeReachable } from './interpreter-reach.ts';
import type { Isolation } from './isolation.ts';
import { LanguageHost } from './language-host.ts';
import { findRuntimes } from './runtime-catalog.ts';

/** The language hosts of this agent, up: those of the machine's runtimes, or the one of the container beside this one. */
export function openHosts(
  config: AgentConfig,
  socket: HostSocket,
  isolation: Isolation,
  log: Logger,
): Promise<LanguageHost[]> {
  return config.pool === ''
    ? startOwnHosts(config, socket, isolation, log)
    : awaitHost(config, socket, isolation, log).then((host) => [host]);
}

async function startOwnHosts(
  config: AgentConfig,
  socket: HostSocket,
  isolation: Isolation,
  log: Logger,
): Promise<LanguageHost[]> {
  const { workDirectory, prewarmed } = config;
  const found = await findRuntimes(config.runtimesDirectory, config.searchPath);
  const hosts: LanguageHost[] = [];
  await Promise.all(
    found.map(async (runtime) => {
      const host = new LanguageHost({
        runtime: makeReachable(runtime, isolation.changesUser, workDirectory),
        socket,
        isolation,
        scratchDirectory: join(workDirectory, 'scratch'),
        prewarmed,
        log: hostLog(log),
      });
      try {
        await host.start();
        hosts.push(host);
        log.info(`runtime ${runtime.definition.name}: ${runtime.interpreter} (${runtime.version})`);
      } catch (error) {
        await host.close();
        log.error(`the runtime ${runtime.definition.name} is left out: ${(error as Error).message}`);
      }
    }),
  );
  return hosts;
}

async function awaitHost(
  config: AgentConfig,
  socket: HostSocket,
  isolation: Isolation,
  log: Logger,
): Promise<LanguageHost> {
  const { pool, prewarmed, hostScratchDirectory } = config;
  const host = new LanguageHost({
    runtime: { name: pool, version: '', command: '', args: [] },
    socket,
    isolation,
    scratchDirectory: hostScratchDirectory,
    prewarmed,
    startParent: (events, onSpawned) => AwaitedParent.start(AWAITED_PARENT_NAME, socket, events, onSpawned),
    log: hostLog(log),
  });
  await host.start();
  log.info(`runtime ${pool}: its language host is up`);
  return host;
}

function hostLog(log: Logger) {
  return { info: (text: string) => log.info(text), warn: (text: string) => log.warn(text) };
}

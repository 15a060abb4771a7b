import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/load.ts';
import type { LinkSet } from '../link/link-set.ts';
import { logLevelOf, type Logger } from '../log.ts';
import { DockerClient } from './docker/docker-client.ts';
import { DockerImages } from './docker/docker-images.ts';
import { LOCAL_AGENT_NAME, LocalOrchestrator } from './local/local-orchestrator.ts';
import { tarFolderOf } from '../storage/local/local-storage.ts';
import type { Orchestrator, OrchestratorProcess } from './orchestrator.ts';
import { RuntimeImages } from './runtime-images.ts';

const OWN_RUNTIMES = fileURLToPath(new URL('../../../runtimes', import.meta.url));
const AGENT_STOP_MARGIN_MS = 5_000;
/** As in Kubernetes: an image may have to be fetched. */
const IMAGE_START_MS = 300_000;

export interface OrchestratorParts {
  readonly links: LinkSet;
  /** http://HOST:PORT of the internal listener, as this machine reaches it. */
  readonly internalAddress: string;
  readonly internalPort: number;
  /** A runtime that nobody asked for is offered. */
  readonly onRuntimeFound: (name: string) => void;
  readonly log: Logger;
}

type MakeOrchestrator = (parts: OrchestratorParts) => Orchestrator & OrchestratorProcess;

/**
 * What makes the orchestrator that the configuration names. Its packages are loaded for it alone: Kubernetes' client takes
 * 0.8 s and 93 MB.
 */
export async function loadOrchestrator(config: Config): Promise<MakeOrchestrator> {
  if (config.engine.orchestrator !== 'kubernetes') return (parts) => createLocalOrchestrator(config, parts);
  const { createKubernetesOrchestrator } = await import('./kubernetes/create.ts');
  return ({ log, ...parts }) => {
    const images = new RuntimeImages(runtimesDirectoryOf(config));
    return createKubernetesOrchestrator(config, { ...parts, images, log: partLog(log) });
  };
}

function createLocalOrchestrator(config: Config, { links, internalAddress, log }: OrchestratorParts) {
  const { local } = config;
  const runtimesDirectory = runtimesDirectoryOf(config);
  const ownName = createHash('sha256').update(config.default.dataDir).digest('hex').slice(0, 12);
  const workDirectory = local.workDir === '' ? join(tmpdir(), `qinling-${ownName}`) : local.workDir;
  const drainSeconds = config.default.shutdownTimeout;
  const agent = {
    environment: {
      QINLING_AGENT_GATEWAY_URL: internalAddress,
      QINLING_AGENT_NAME: LOCAL_AGENT_NAME,
      QINLING_AGENT_TOKEN_FILE: '-',
      QINLING_AGENT_WORKERS: String(local.workers),
      QINLING_AGENT_PREWARMED: String(local.prewarmed),
      QINLING_AGENT_WORK_DIR: workDirectory,
      QINLING_AGENT_PACKAGE_STORE: tarFolderOf(config.storage.fileSystemDir),
      QINLING_AGENT_RUNTIMES_DIR: runtimesDirectory,
      QINLING_AGENT_SEARCH_PATH: local.searchPath.join(':'),
      QINLING_AGENT_ISOLATION: local.isolation,
      QINLING_AGENT_DRAIN_SECONDS: String(drainSeconds),
      QINLING_AGENT_LOG_LEVEL: logLevelOf(config.default),
    },
    token: config.internal.token,
    stopMs: drainSeconds * 1000 + AGENT_STOP_MARGIN_MS,
    log: partLog(log),
  };
  const docker = local.dockerHost === '' ? undefined : openDocker(local, ownName, partLog(log));
  return new LocalOrchestrator(links, new RuntimeImages(runtimesDirectory), agent, docker);
}

function openDocker({ dockerHost, dockerNetwork }: Config['local'], owner: string, log: { warn(text: string): void }) {
  return new DockerImages(new DockerClient(dockerHost), {
    owner,
    network: dockerNetwork,
    startMs: IMAGE_START_MS,
    onWarning: (text) => log.warn(text),
  });
}

function runtimesDirectoryOf({ local }: Config): string {
  return local.runtimesDir === '' ? OWN_RUNTIMES : local.runtimesDir;
}

function partLog(log: Logger) {
  const part = log.child({ part: 'orchestrator' });
  return { info: (text: string) => part.info(text), warn: (text: string) => part.warn(text) };
}

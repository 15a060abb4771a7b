import { hostname, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What whoever started the agent tells it: a pod's template, or the gateway that started it as a child. */
export interface AgentConfig {
  /** http://host:port of the gateway's internal listener. */
  readonly gatewayUrl: string;
  readonly agentName: string;
  /** File that holds the token, read again at every connection; `-`: the first line of standard input, whose end ends the agent. */
  readonly tokenFile: string;
  readonly workerCount: number;
  /** Idle processes kept ready for each runtime. */
  readonly prewarmed: number;
  /** Folder for sockets, packages and scratch directories; everything in it is the agent's. */
  readonly workDirectory: string;
  /** Folder of the language hosts. */
  readonly runtimesDirectory: string;
  /** Folders to look for interpreters in, before those of PATH. */
  readonly searchPath: readonly string[];
  readonly isolation: 'auto' | 'none';
  readonly maxCacheBytes: number;
  /** Folder where the gateway keeps packages, if it is on this machine; empty: they come through the gateway. */
  readonly packageStore: string;
  /** Longest wait for running invocations when the agent is told to end. */
  readonly drainMs: number;
  readonly logLevel: string;
  /** Port for the probes of whatever looks after this process; 0: none. */
  readonly healthPort: number;
  /**
   * The one pool that is served, by a language host that runs in a container beside this one; empty: the runtimes found
   * on this machine are.
   */
  readonly pool: string;
  /** Folder that the other container has for its scratch directories. */
  readonly hostScratchDirectory: string;
}

/** By this name a language host that another container starts says Hello. */
export const AWAITED_PARENT_NAME = 'parent';

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads QINLING_AGENT_*. Throws one Error that tells all faults. */
export function readAgentConfig(environment: Environment): AgentConfig {
  const faults: string[] = [];
  const text = (name: string, byDefault: string): string => environment[`QINLING_AGENT_${name}`] ?? byDefault;
  const count = (name: string, byDefault: number, least: number): number => {
    const value = Number(text(name, String(byDefault)));
    if (Number.isInteger(value) && value >= least) return value;
    faults.push(`QINLING_AGENT_${name} must be a whole number of at least ${least}`);
    return byDefault;
  };
  const gatewayUrl = text('GATEWAY_URL', '').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]+$/.test(gatewayUrl)) faults.push('QINLING_AGENT_GATEWAY_URL must be http://HOST:PORT');
  const tokenFile = text('TOKEN_FILE', '');
  if (tokenFile === '') faults.push('QINLING_AGENT_TOKEN_FILE must name a file (or - for standard input)');
  const isolation = text('ISOLATION', 'auto');
  if (isolation !== 'auto' && isolation !== 'none') faults.push('QINLING_AGENT_ISOLATION must be auto or none');
  const config: AgentConfig = {
    gatewayUrl,
    agentName: text('NAME', hostname()),
    tokenFile,
    workerCount: count('WORKERS', 16, 1),
    prewarmed: count('PREWARMED', 2, 0),
    workDirectory: text('WORK_DIR', `${tmpdir()}/qinling-agent-${process.pid}`),
    runtimesDirectory: text('RUNTIMES_DIR', fileURLToPath(new URL('../../runtimes', import.meta.url))),
    searchPath: text('SEARCH_PATH', '').split(':').filter(Boolean),
    isolation: isolation === 'none' ? 'none' : 'auto',
    packageStore: text('PACKAGE_STORE', ''),
    maxCacheBytes: count('MAX_CACHE_BYTES', 4 * 1024 ** 3, 0),
    drainMs: count('DRAIN_SECONDS', 30, 0) * 1000,
    logLevel: text('LOG_LEVEL', 'info'),
    healthPort: count('HEALTH_PORT', 0, 0),
    pool: text('POOL', ''),
    hostScratchDirectory: text('HOST_SCRATCH_DIR', '/tmp'),
  };
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return Object.freeze(config);
}

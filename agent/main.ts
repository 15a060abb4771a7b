import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Agent } from './agent.ts';
import { readAgentConfig, type AgentConfig } from './config.ts';
import { Health } from './health.ts';
import { openLog } from './log.ts';
import { openToken } from './token.ts';

/** The process: configuration, start, signals. */
async function main(): Promise<void> {
  const config = readAgentConfig(process.env);
  const log = openLog(config.logLevel);
  prepareWorkDirectory(config);
  let agent: Agent | undefined;
  const health = new Health(() => agent?.isReady === true);
  if (config.healthPort > 0) await health.listen(config.healthPort);
  const end = async (drainMs: number): Promise<void> => {
    await agent?.close(drainMs);
    health.close();
    rmSync(config.workDirectory, { recursive: true, force: true });
    process.exit(0);
  };
  const onFault = (error: unknown) => {
    log.error({ err: error }, 'the agent did not end properly');
    process.exit(1);
  };
  const token = await openToken(config.tokenFile, () => {
    log.info('whoever started this agent is gone');
    end(0).catch(onFault);
  });
  process.on('SIGTERM', () => void end(config.drainMs).catch(onFault));
  process.on('SIGINT', () => void end(config.drainMs).catch(onFault));
  agent = await Agent.start(config, token, log);
}

/** Makes the folder anew: what an earlier process left there is of no use. */
function prepareWorkDirectory({ workDirectory }: AgentConfig): void {
  process.umask(0o022);
  if (basename(workDirectory) === '') throw new Error('the work directory must not be the root');
  rmSync(workDirectory, { recursive: true, force: true });
  mkdirSync(workDirectory, { recursive: true });
  chmodSync(workDirectory, 0o711); // others may reach what they know of, but not look around
  for (const name of ['packages', 'scratch']) mkdirSync(join(workDirectory, name), { mode: 0o711 });
}

main().catch((error: unknown) => {
  process.stderr.write(`agent: ${(error as Error).message}\n`);
  process.exit(1);
});

import { readFileSync } from 'node:fs';
import { hashPassword } from './auth/static/password-hash.ts';
import { hashToken, newToken } from './auth/static/token.ts';
import { HELP, UsageError, parseCommandLine } from './command-line.ts';
import { ConfigError } from './config/config-error.ts';
import { loadConfig } from './config/load.ts';
import { renderSample } from './config/sample.ts';
import { startGateway, type StartedGateway } from './gateway.ts';
import { logLevelOf, openLog } from './log.ts';
import { readNewPassword } from './password-prompt.ts';

const EXIT_FAULT = 1;
const EXIT_USAGE = 2;
/** Under npm Ctrl-C comes twice: from the terminal, and passed on by npm. What follows so soon is the same one. */
const SAME_SIGNAL_MS = process.env['npm_lifecycle_event'] === undefined ? 0 : 500;

/** The process: command line, configuration, start, signals. Every fault before the start ends in readable lines. */
async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.kind === 'help') return void process.stdout.write(HELP);
  if (command.kind === 'version') return void process.stdout.write(`qinling ${readVersion()}\n`);
  if (command.kind === 'printConfigSample') return void process.stdout.write(renderSample());
  if (command.kind === 'hashPassword') return printPasswordHash();
  if (command.kind === 'newToken') return printToken();
  const { config, warnings } = loadConfig({ ...command, environment: process.env });
  const log = openLog({ level: logLevelOf(config.default) });
  for (const warning of warnings) log.warn(warning);
  const gateway = await startGateway(config, log);
  stopOnSignals(gateway);
  process.stdout.write(welcome(gateway)); // whoever reads it may send a signal at once
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function welcome({ address, internalAddress, dataDirectory, poolNames, isOpen }: StartedGateway): string {
  const proof = isOpen ? '' : '-H "X-Auth-Token: $TOKEN" ';
  return `Qinling is up.
  Listening on ${address} (agents and packages: ${internalAddress})
  Data in ${dataDirectory}
  Runtimes: ${poolNames.length === 0 ? 'none found on this machine' : poolNames.join(', ')}
  Try: curl ${proof}${address}/v1/runtimes
`;
}

async function printPasswordHash(): Promise<void> {
  process.stdout.write(`${await hashPassword(await readNewPassword(process.stdin, process.stderr))}\n`);
}

function printToken(): void {
  const token = newToken();
  process.stdout.write(`token: ${token}\nhash:  ${hashToken(token)}\n`);
}

/** The first signal lets running invocations end, the second ends at once. */
function stopOnSignals(gateway: StartedGateway): void {
  let firstAtMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const nowMs = performance.now();
    if (firstAtMs !== undefined && nowMs - firstAtMs >= SAME_SIGNAL_MS) process.exit(EXIT_FAULT);
    if (firstAtMs !== undefined) return;
    firstAtMs = nowMs;
    process.stdout.write(`${signal}: ending; running invocations may finish. A second signal ends at once.\n`);
    gateway.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  // From a terminal that closes it means to end; a service is told by it to read its files again.
  process.on('SIGHUP', (signal) => (process.stdin.isTTY ? onSignal(signal) : gateway.reload()));
}

function fail(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  for (const line of text.split('\n')) process.stderr.write(`qinling: ${line}\n`);
  process.exit(error instanceof ConfigError || error instanceof UsageError ? EXIT_USAGE : EXIT_FAULT);
}

main().catch(fail);

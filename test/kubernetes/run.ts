import { execFile, spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CLUSTER = fileURLToPath(new URL('../../../test/cluster/cluster.sh', import.meta.url));
/** Of a whole file; each test has a limit of its own. */
const FILE_LIMIT_MS = 1_800_000;
const SHOWN_LINES = 20;

/**
 * Runs the tests of this folder (those that arguments name, or all) against the cluster of KUBECONFIG; without one, against
 * a cluster of their own, which is gone afterwards.
 */
async function main(names: readonly string[]): Promise<number> {
  const { KUBECONFIG: given } = process.env;
  const kubeconfig = given !== undefined && given !== '' ? given : await startCluster();
  const kubectl = given === undefined || given === '' ? join(dirname(kubeconfig), 'bin', 'kubectl') : 'kubectl';
  try {
    const code = await runTests(names, { QINLING_TEST_KUBECTL: kubectl, ...process.env, KUBECONFIG: kubeconfig });
    if (code !== 0 && kubeconfig !== given) showLogs(join(dirname(kubeconfig), 'log'));
    return code;
  } finally {
    if (kubeconfig !== given) await promisify(execFile)(CLUSTER, ['down']);
  }
}

/** The ends of what the cluster's parts said: it is gone when somebody reads of a test that failed. */
function showLogs(folder: string): void {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.log'))) {
    const lines = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES);
    process.stderr.write(`\n${file}:\n${lines.join('\n')}\n`);
  }
}

/** Resolves with the path of its kubeconfig. */
async function startCluster(): Promise<string> {
  const child = spawn(CLUSTER, ['up'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error('the test cluster did not start');
  return output.trim();
}

function runTests(names: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const files = readdirSync(HERE)
    .filter((file) => file.endsWith('.test.js'))
    .filter((file) => names.length === 0 || names.includes(file.replace('.test.js', '')))
    .map((file) => join(HERE, file));
  const options = ['--test', `--test-timeout=${FILE_LIMIT_MS}`, '--test-concurrency=1'];
  const child = spawn(process.execPath, [...options, ...files], { env: environment, stdio: 'inherit' });
  // Both get a terminal's Ctrl-C; we stay to end the cluster.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(1);
  },
);

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { coldStart } from './cold-start.bench.ts';
import { CleanUp } from './clean-up.ts';
import { lists } from './lists.bench.ts';
import { longLists } from './long-lists.bench.ts';
import type { Question } from './question.ts';
import { warmInvoke } from './warm-invoke.bench.ts';

const QUESTIONS: readonly Question[] = [warmInvoke, coldStart, lists, longLists];
const SOURCE = fileURLToPath(new URL('../../bench', import.meta.url));

const EXIT_INTERRUPTED = 130;

const HELP = `npm run bench -- [--short] [QUESTION...]

Questions (without any: all of them):
${QUESTIONS.map(({ name, help }) => `  ${name.padEnd(12)} ${help}\n`).join('')}
  --short      less than two minutes in all; to notice what is badly wrong, not to publish
  --help       this text

The numbers of each run go to bench/results/ as JSON. bench/README.md tells how to read them.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { short: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  if (values.help) return print(HELP);
  const unknown = positionals.filter((name) => !QUESTIONS.some((question) => question.name === name));
  if (unknown.length > 0) throw new Error(`no such question: ${unknown.join(', ')}; see --help`);
  const asked = positionals.length === 0 ? QUESTIONS : QUESTIONS.filter(({ name }) => positionals.includes(name));
  const machine = describeMachine();
  print(
    `${machine.cpuCount} × ${machine.cpu}, Node.js ${machine.node}, commit ${machine.commit}, load ${machine.load}\n\n`,
  );
  for (const { name, run } of asked) {
    const result = await runCleanly((cleanUp) => {
      return run({ isShort: values.short, cleanUp, print: (text) => print(`${text}\n`) });
    });
    print(`written: ${write(name, machine.date, { question: name, isShort: values.short, machine, result })}\n\n`);
  }
}

/** Ends what was started also on Ctrl-C. */
async function runCleanly<T>(run: (cleanUp: CleanUp) => Promise<T>): Promise<T> {
  const cleanUp = new CleanUp();
  const onSignal = () => void cleanUp.run().finally(() => process.exit(EXIT_INTERRUPTED));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await run(cleanUp);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await cleanUp.run();
  }
}

function describeMachine() {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown processor',
    cpuCount: all.length,
    node: process.versions.node,
    commit: readCommit(),
    /** Of the last minute before the start: well below the number of processors, or others disturbed. */
    load: loadavg()[0]!.toFixed(2),
    date: new Date().toISOString(),
  };
}

function readCommit(): string {
  try {
    const args = ['describe', '--always', '--dirty'];
    return execFileSync('git', args, { cwd: SOURCE, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

function write(name: string, date: string, content: unknown): string {
  const folder = join(SOURCE, 'results');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}-${date.replaceAll(':', '')}.json`);
  writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`);
  return path;
}

function print(text: string): void {
  process.stdout.write(text);
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

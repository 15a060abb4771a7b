import { parseArgs } from 'node:util';
import { CleanUp } from './clean-up.ts';
import { describeMachine } from './machine.ts';
import { Asked, type Answer, type Question } from './question.ts';
import { QUESTIONS } from './questions.ts';
import { writeReport } from './report.ts';
import { readLastResults, writeResult } from './results.ts';
import { formatGoal, formatTable } from './table.ts';

const EXIT_INTERRUPTED = 130;
const DEFAULT_MINUTES = 5;

const HELP = `npm run bench -- [--short] [--minutes N] [QUESTION...] | --report

Questions (without any: all but those that are only asked by name):
${QUESTIONS.map(describe).join('')}
  --short      fewer and shorter rounds, less than two minutes in all; to notice what is badly wrong, not to publish
  --minutes N  how long soak takes (${DEFAULT_MINUTES})
  --report     make the page anew, and measure nothing
  --help       this text

The numbers of each run go to bench/results/ as JSON, the last ones of each question to the page bench/report.html.
bench/README.md tells how to read them.
`;

function describe({ name, help, asked, duration, shortDuration }: Question): string {
  const short = asked === Asked.Always ? `short: ${shortDuration}` : 'not with --short unless named';
  const when = asked === Asked.ByName ? 'only when named' : short;
  return `  ${name.padEnd(14)} ${help}\n  ${''.padEnd(14)} ${duration}; ${when}\n`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      minutes: { type: 'string', default: String(DEFAULT_MINUTES) },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.help) return print(HELP);
  if (values.report) return printReport();
  const asked = choose(positionals, values.short);
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error('--minutes must be a number above zero');
  const machine = describeMachine();
  const { cpuCount, cpu, node, commit, load } = machine;
  print(`${cpuCount} × ${cpu}, Node.js ${node}, commit ${commit}, load ${load}\n\n`);
  for (const { name, run } of asked) {
    const begunAtMs = performance.now();
    try {
      const answer = await runCleanly((cleanUp) => {
        return run({ isShort: values.short, minutes, cleanUp, print: (text) => print(`${text}\n`) });
      });
      printAnswer(answer, values.short);
      const seconds = (performance.now() - begunAtMs) / 1000;
      const path = writeResult({ question: name, isShort: values.short, machine, seconds, ...answer });
      print(`${name}: ${seconds.toFixed(0)} s, written: ${path}\n\n`);
    } catch (error) {
      fail(`${name} has no answer`, error); // the others may have
    }
  }
  printReport();
}

function printReport(): void {
  print(`the page: ${writeReport(readLastResults(QUESTIONS.map(({ name }) => name)))}\n`);
}

function choose(names: readonly string[], isShort: boolean): readonly Question[] {
  const unknown = names.filter((name) => !QUESTIONS.some((question) => question.name === name));
  if (unknown.length > 0) throw new Error(`no such question: ${unknown.join(', ')}; see --help`);
  if (names.length > 0) return QUESTIONS.filter(({ name }) => names.includes(name));
  return QUESTIONS.filter(({ asked }) => asked === Asked.Always || (asked === Asked.NotShort && !isShort));
}

/** A short run is too short for goals. */
function printAnswer({ tables, goals = [], remarks = [] }: Answer, isShort: boolean): void {
  for (const table of tables) print(`${formatTable(table)}\n`);
  for (const remark of remarks) print(`${remark}\n`);
  for (const goal of isShort ? [] : goals) print(`${formatGoal(goal)}\n`);
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

function print(text: string): void {
  process.stdout.write(text);
}

function fail(what: string, error: unknown): void {
  process.stderr.write(`${what}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

main().catch((error: unknown) => fail('bench', error));

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCE, type Machine } from './machine.ts';
import type { Answer } from './question.ts';

/** One answer with what it depends on: a file of `results/`. */
export interface Result extends Answer {
  readonly question: string;
  readonly isShort: boolean;
  readonly machine: Machine;
  /** How long it took. */
  readonly seconds: number;
}

const FOLDER = join(SOURCE, 'results');

/** Returns the file's path. */
export function writeResult(result: Result): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, `${result.question}-${result.machine.date.replaceAll(':', '')}.json`);
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  return path;
}

/** The last result of each of these questions, in their order: one in full before a short one, however old. */
export function readLastResults(questions: readonly string[], folder = FOLDER): Result[] {
  const last = new Map<string, Result>();
  for (const result of readAll(folder)) {
    const known = last.get(result.question);
    if (known === undefined || isBetter(result, known)) last.set(result.question, result);
  }
  return questions.flatMap((name) => last.get(name) ?? []);
}

function isBetter(one: Result, other: Result): boolean {
  if (one.isShort !== other.isShort) return other.isShort;
  return one.machine.date >= other.machine.date;
}

function readAll(folder: string): Result[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Result)
    .filter(({ tables }) => Array.isArray(tables)); // those of earlier commits had another form
}

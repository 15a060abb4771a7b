import type { CleanUp } from './clean-up.ts';
import type { Goal, Series, Table } from './table.ts';

/** What a question is asked with. */
export interface QuestionOptions {
  /** Fewer and shorter rounds: a look at whether something is badly wrong, no number to publish. */
  readonly isShort: boolean;
  /** How long it is to take, where a question can take any time. */
  readonly minutes: number;
  /** Ends what the question started, once it is answered or the process is told to end. */
  readonly cleanUp: CleanUp;
  /** A line of its own, for what takes long. */
  readonly print: (text: string) => void;
}

/** What is printed, written to the file of results, and drawn on the page. */
export interface Answer {
  readonly tables: readonly Table[];
  readonly series?: readonly Series[];
  readonly goals?: readonly Goal[];
  /** Whatever was not compared, and why. */
  readonly remarks?: readonly string[];
  /** All single measurements. */
  readonly details: unknown;
}

/** How it is asked where no question is named: always, with `--short` not, or only when it is named. */
export const Asked = { Always: 'always', NotShort: 'not short', ByName: 'by name' } as const;
export type Asked = (typeof Asked)[keyof typeof Asked];

/** Something that is measured: one file `<name>.bench.ts` each. */
export interface Question {
  readonly name: string;
  /** One line. */
  readonly help: string;
  readonly asked: Asked;
  /** About how long it takes, for the help: in full, and short. */
  readonly duration: string;
  readonly shortDuration: string;
  readonly run: (options: QuestionOptions) => Promise<Answer>;
}

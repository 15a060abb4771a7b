import type { CleanUp } from './clean-up.ts';

/** What a question is asked with. */
export interface QuestionOptions {
  /** Fewer and shorter rounds: a look at whether something is badly wrong, no number to publish. */
  readonly isShort: boolean;
  /** Ends what the question started, once it is answered or the process is told to end. */
  readonly cleanUp: CleanUp;
  readonly print: (text: string) => void;
}

/** Something that is measured: one file `<name>.bench.ts` each. */
export interface Question {
  readonly name: string;
  /** One line. */
  readonly help: string;
  /** Resolves with what is written to the file of results. */
  readonly run: (options: QuestionOptions) => Promise<unknown>;
}

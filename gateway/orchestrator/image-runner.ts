import type { ProgramExit } from '../invoke/call.ts';

/** One run of an image function: a container of its own. */
export interface ImageRun {
  /** Of the execution and its attempt; no two runs have the same. */
  readonly invocationId: string;
  readonly functionId: string;
  readonly image: string;
  /** Undefined: what the image says. */
  readonly args: readonly string[] | undefined;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  /** From when the container runs; what the image takes to come does not count. */
  readonly timeoutMs: number;
}

/** A container that an earlier process of the gateway left. */
export interface LeftImageRun {
  readonly invocationId: string;
  /** Resolves when it has ended, and is removed. Rejects where its end cannot be told. */
  end(): Promise<ProgramExit>;
  /** Ends it. Never rejects. */
  remove(): Promise<void>;
}

/** What callers are told of an image that did not come to its end. */
export const ImageTrouble = {
  NotPulled: 'The image could not be pulled.',
  NotStarted: 'The container could not be started.',
  Lost: 'The end of the container was not seen.',
} as const;
export type ImageTrouble = (typeof ImageTrouble)[keyof typeof ImageTrouble];

/**
 * An image did not come to its end. Its message is for the function's owner: no more than a text of ImageTrouble, as what
 * registries and nodes answer tells of places that callers do not see. `cause` has that, for operators.
 */
export class ImageFault extends Error {
  constructor(message: ImageTrouble, cause: unknown) {
    super(message, { cause });
  }
}

/** Runs images, a container for each execution, and removes what it made. Knows nothing of functions and records. */
export interface ImageRunner {
  /** Rejects with an ImageFault. */
  run(run: ImageRun): Promise<ProgramExit>;
  left(): Promise<LeftImageRun[]>;
  /** What runs goes on, and is there for the next process; its promises never settle. */
  close(): void;
}

/** User and group of code of callers in a container, whatever its image says: nobody in any image. */
export const USER_CODE_UID = 65_533;

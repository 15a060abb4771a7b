import { StringDecoder } from 'node:string_decoder';
import { MAX_LOG_BYTES } from '../../protocol/limits.ts';
import type { LogStream } from '../link/log-streams.ts';
import type { ExecutionLog, ExecutionStatus } from '../store/store.ts';
import { firstLine, lastLines } from './execution-log.ts';

/**
 * The log of one execution for one reader, in parts as they become known: what comes while it is printed, and at the end
 * of an attempt what is still missing of the log that is kept. Bounded, since what is kept is.
 */
export class FollowedLog {
  readonly executionId: string;
  /** Where text comes from at the moment. */
  stream: LogStream | undefined = undefined;
  #parts: string[] = [];
  #wake: (() => void) | undefined;
  #decoder = new StringDecoder('utf8');
  /** Bytes of the attempt's log that were taken. */
  #bytes = 0;
  #lastCharacter = '';
  #isBegun = false;
  #isOver = false;

  constructor(executionId: string) {
    this.executionId = executionId;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The log of an execution that was final before. */
  whole(text: string): void {
    this.#push(text);
  }

  /** The attempt runs. */
  begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#push(firstLine(this.executionId));
  }

  /**
   * Text as it was printed, from this place in the attempt's log; what was taken before is not taken again, and no more
   * than is kept, whatever an agent sends.
   */
  take(offset: number, log: Uint8Array): void {
    if (offset > this.#bytes || offset + log.length <= this.#bytes) return;
    this.begin();
    this.#takeBytes(log.subarray(this.#bytes - offset, MAX_LOG_BYTES - offset));
  }

  /** The attempt has ended with this log; another one may follow. */
  end(status: ExecutionStatus, log: ExecutionLog | null): void {
    this.begin();
    if (log !== null) this.#takeBytes(log.text.subarray(this.#bytes));
    this.#print(this.#decoder.end());
    const isAtLineStart = this.#lastCharacter === '' || this.#lastCharacter === '\n';
    this.#push(lastLines(this.executionId, status, log, isAtLineStart));
    this.#decoder = new StringDecoder('utf8');
    this.#bytes = 0;
    this.#lastCharacter = '';
    this.#isBegun = false;
  }

  /** Nothing more will come. */
  close(): void {
    this.#isOver = true;
    this.stream?.stop();
    this.#wake?.();
  }

  /** The next part; undefined when all was given. One reader. */
  async next(): Promise<string | undefined> {
    while (this.#parts.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#parts.length === 0) return undefined;
    const text = this.#parts.join('');
    this.#parts = [];
    return text;
  }

  #takeBytes(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#print(this.#decoder.write(Buffer.from(bytes)));
  }

  #print(text: string): void {
    if (text === '') return;
    this.#lastCharacter = text.at(-1)!;
    this.#push(text);
  }

  #push(text: string): void {
    if (text === '' || this.#isOver) return;
    this.#parts.push(text);
    this.#wake?.();
  }
}

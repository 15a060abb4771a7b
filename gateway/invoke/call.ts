import { Outcome, type Result } from '../../protocol/message.ts';
import { QinlingError } from '../errors.ts';
import type { PendingCall } from '../link/pending-table.ts';
import type { Seat } from '../link/seat.ts';
import type { Binding } from './binding.ts';
import type { Target } from './target.ts';

/** How a call ended: what the function or its loading gave, or why there is nothing. */
export type CallEnd =
  | { readonly kind: 'outcome'; readonly result: Omit<Result, 'kind' | 'slot'>; readonly isLoaded: boolean }
  /** The agent was lost after the call was sent: the function may have run. */
  | { readonly kind: 'lost' }
  /** Did not run and will not: overload, no worker, shutdown. */
  | { readonly kind: 'refused'; readonly error: QinlingError }
  /** `prepare` said no. */
  | { readonly kind: 'withdrawn' }
  /** It was a program that did not run, or whose end is not known; the reason is a sentence for the caller. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** It was a program that ran and ended. */
  | { readonly kind: 'exited'; readonly exit: ProgramExit };

export interface ProgramExit {
  /** Undefined: its time was over, and it was ended. */
  readonly exitCode: number | undefined;
  readonly durationMs: number;
  /** The first MAX_LOG_BYTES of what it printed. */
  readonly log: Uint8Array;
  readonly isLogCut: boolean;
}

export interface CallRequest {
  readonly executionId: string;
  readonly target: Target;
  readonly input: Uint8Array;
  /** When a call that still waits is refused (milliseconds of `performance.now()`); Infinity for never. */
  readonly deadlineMs: number;
  /** Asked once, when a worker has room and before anything is sent; false withdraws the call. */
  readonly prepare: (() => Promise<boolean>) | undefined;
  readonly onEnd: (call: Call, end: CallEnd) => void;
}

/** What the invoker does with the answers of a call. */
export interface CallHandler {
  onCallDone(call: Call, seat: Seat, durationMs: number | undefined): void;
  sendAgain(call: Call): void;
}

/** One invocation on its way: waiting, sent, ended. All fields are set at once, in one order. */
export class Call implements PendingCall {
  readonly executionId: string;
  readonly target: Target;
  readonly input: Uint8Array;
  readonly deadlineMs: number;
  readonly prepare: (() => Promise<boolean>) | undefined;
  readonly acceptedAtMs: number;
  readonly #onEnd: (call: Call, end: CallEnd) => void;
  readonly #handler: CallHandler;
  readonly binding: Binding;
  seat: Seat | undefined = undefined;
  sentAtMs = 0;
  endedAtMs = 0;
  expiresAtMs = Number.POSITIVE_INFINITY;
  /** What of the waiting was for a worker to load the target. */
  bindMs = 0;
  isWarm = true;
  isPrepared = false;
  /** How often it was sent; above one only when it is known not to have run before. */
  sentCount = 0;
  #slot = -1;
  #isEnded = false;

  constructor(request: CallRequest, binding: Binding, handler: CallHandler, nowMs: number) {
    this.executionId = request.executionId;
    this.target = request.target;
    this.input = request.input;
    this.deadlineMs = request.deadlineMs;
    this.prepare = request.prepare;
    this.acceptedAtMs = nowMs;
    this.#onEnd = request.onEnd;
    this.#handler = handler;
    this.binding = binding;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The end is in the records: lets the agent forget it. Does nothing for a call that no agent had. */
  acknowledge(): void {
    if (this.#slot >= 0) this.seat!.link.acknowledge(this.#slot);
  }

  /** Hot. */
  onResult(result: Result, slot: number): void {
    const seat = this.seat!;
    if (result.outcome === Outcome.NotStarted) {
      seat.link.acknowledge(slot);
      this.#handler.onCallDone(this, seat, undefined);
      this.#handler.sendAgain(this);
      return;
    }
    this.#slot = slot;
    this.end({ kind: 'outcome', result, isLoaded: true });
    this.#handler.onCallDone(this, seat, result.durationMicros / 1000);
  }

  onNotReceived(): void {
    this.#handler.onCallDone(this, this.seat!, undefined);
    this.#handler.sendAgain(this);
  }

  onLost(): void {
    this.end({ kind: 'lost' });
    this.#handler.onCallDone(this, this.seat!, undefined);
  }

  refuse(error: QinlingError): void {
    this.end({ kind: 'refused', error });
  }

  end(end: CallEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.endedAtMs = performance.now();
    this.#onEnd(this, end);
  }
}

/** The end of a call whose target could not be loaded, by the function's own fault. */
export function loadFailure(outcome: Outcome, output: Uint8Array, log: Uint8Array): CallEnd {
  return { kind: 'outcome', result: { outcome, durationMicros: 0, output, log, isLogCut: false }, isLoaded: false };
}

import { QinlingError, shuttingDown } from '../errors.ts';
import { Binding } from '../invoke/binding.ts';
import { Call, type CallHandler, type CallRequest, type ProgramExit } from '../invoke/call.ts';
import { WaitingBudget } from '../invoke/waiting-budget.ts';
import { ImageFault, type ImageRunner } from '../orchestrator/image-runner.ts';
import { FairLine } from './fair-line.ts';
import { imageArguments } from './image-arguments.ts';

const RETRY_AFTER_SECONDS = 1;

export interface ImageCallsOptions {
  /** Containers at a time. */
  readonly maxRunning: number;
  /** Calls that may wait for others to end. Those without a deadline do not count: their owner bounds them. */
  readonly maxWaiting: number;
}

/** What becomes of a run that an earlier process left; undefined: its end cannot be told. */
export type OnLeftEnd = (end: ProgramExit | undefined) => void;

/** The road of a call of an image function: a place among those that run, its container, its end. */
export class ImageCalls implements CallHandler {
  readonly #runner: ImageRunner;
  readonly #options: ImageCallsOptions;
  readonly #waiting: WaitingBudget;
  /** Functions take turns. */
  readonly #line = new FairLine<Call>();
  /** Of those that wait until a deadline. */
  readonly #timers = new Map<Call, NodeJS.Timeout>();
  #running = 0;
  #isClosed = false;

  constructor(runner: ImageRunner, options: ImageCallsOptions) {
    this.#runner = runner;
    this.#options = options;
    this.#waiting = new WaitingBudget(options.maxWaiting);
  }

  /** As Invoker.invoke. */
  invoke(request: CallRequest): Call {
    const nowMs = performance.now();
    const call = new Call(request, new Binding(request.target, 1), this, nowMs);
    call.isWarm = false;
    if (this.#isClosed) call.refuse(shuttingDown());
    else if (this.#running < this.#options.maxRunning) void this.#run(call);
    else this.#wait(call, nowMs);
    return call;
  }

  /**
   * Takes up what an earlier process left. `adopt` resolves with who awaits a run; undefined: nobody does, and it is
   * ended.
   */
  async takeOver(adopt: (invocationId: string) => Promise<OnLeftEnd | undefined>): Promise<void> {
    for (const left of await this.#runner.left()) {
      const onEnd = await adopt(left.invocationId);
      if (onEnd === undefined) {
        void left.remove();
        continue;
      }
      this.#running++;
      left.end().then(
        (end) => this.#leftEnded(() => onEnd(end)),
        () => this.#leftEnded(() => onEnd(undefined)),
      );
    }
  }

  /** Refuses what waits; what runs goes on without us. */
  close(): void {
    this.#isClosed = true;
    for (let call = this.#line.shift(); call !== undefined; call = this.#line.shift()) {
      this.#waitsNoMore(call);
      call.refuse(shuttingDown());
    }
    this.#runner.close();
  }

  onCallDone(): void {
    // there is no worker that could be free now
  }

  sendAgain(): void {
    // no agent hands a container back
  }

  #wait(call: Call, nowMs: number): void {
    if (!this.#waiting.hasRoomFor(call)) return call.refuse(tooBusy());
    const isBounded = call.deadlineMs !== Number.POSITIVE_INFINITY;
    const onLate = (): void => {
      this.#line.delete(call.target.functionId, call);
      this.#waitsNoMore(call);
      call.refuse(tooBusy());
    };
    this.#waiting.count(call, 1);
    this.#line.push(call.target.functionId, call);
    if (isBounded) this.#timers.set(call, setTimeout(onLate, call.deadlineMs - nowMs));
  }

  /** Never rejects. */
  async #run(call: Call): Promise<void> {
    this.#running++;
    try {
      if (await isGranted(call)) await this.#runContainer(call);
      else call.end({ kind: 'withdrawn' });
    } catch (error) {
      if (error instanceof ImageFault) call.end({ kind: 'failed', reason: error.message });
      else call.refuse(error instanceof QinlingError ? error : failed(error));
    } finally {
      this.#running--;
      this.#startNext();
    }
  }

  async #runContainer(call: Call): Promise<void> {
    const { target, executionId } = call;
    call.sentAtMs = performance.now();
    call.sentCount++;
    const end = await this.#runner.run({
      invocationId: executionId,
      functionId: target.functionId,
      image: target.image!,
      args: imageArguments(Buffer.from(call.input).toString()),
      cpuMillicores: target.cpuMillicores,
      memoryBytes: target.memoryBytes,
      timeoutMs: target.timeoutMs,
    });
    call.end({ kind: 'exited', exit: end });
  }

  #leftEnded(tell: () => void): void {
    this.#running--;
    tell();
    this.#startNext();
  }

  #startNext(): void {
    if (this.#isClosed || this.#running >= this.#options.maxRunning) return;
    const next = this.#line.shift();
    if (next === undefined) return;
    this.#waitsNoMore(next);
    void this.#run(next);
  }

  #waitsNoMore(call: Call): void {
    clearTimeout(this.#timers.get(call));
    this.#timers.delete(call);
    this.#waiting.count(call, -1);
  }
}

async function isGranted(call: Call): Promise<boolean> {
  if (call.prepare === undefined) return true;
  try {
    call.isPrepared = await call.prepare();
  } catch (cause) {
    throw new QinlingError('UNAVAILABLE', 'The execution could not be recorded.', { cause });
  }
  return call.isPrepared;
}

function failed(cause: unknown): QinlingError {
  return new QinlingError('UNAVAILABLE', 'Function execution failed.', { cause });
}

function tooBusy(): QinlingError {
  const message = 'Too many image functions run.';
  return new QinlingError('TOO_BUSY', message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

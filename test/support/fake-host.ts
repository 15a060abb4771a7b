import type { ChildOutcome, HostChild, LoadError, LoadSpec } from '../../agent/host-child.ts';
import type { LanguageHost } from '../../agent/language-host.ts';

const NOTHING = { output: Buffer.alloc(0), durationMicros: 0, log: Buffer.alloc(0), isLogCut: false };

interface Given {
  readonly executionId: string;
  readonly input: string;
  readonly timeoutMs: number;
  readonly onOutcome: (outcome: ChildOutcome) => void;
  readonly sinceMs: number;
}

/** A process that runs nothing: it keeps what it was given, and answers as a test tells it. */
export class FakeChild {
  readonly spec: LoadSpec;
  readonly given: Given[] = [];
  readonly #exitListeners: (() => void)[] = [];
  isAlive = true;
  isKilled = false;
  #isGone = false;

  constructor(spec: LoadSpec) {
    this.spec = spec;
  }

  get headSinceMs(): number {
    return this.given[0]?.sinceMs ?? Number.POSITIVE_INFINITY;
  }

  get inFlight(): number {
    return this.given.length;
  }

  onExit(listener: () => void): void {
    if (this.#isGone) listener();
    else this.#exitListeners.push(listener);
  }

  invoke(executionId: string, input: Uint8Array, timeoutMs: number, onOutcome: Given['onOutcome']): void {
    const sinceMs = performance.now(); // but for those behind the head
    this.given.push({ executionId, input: Buffer.from(input).toString(), timeoutMs, onOutcome, sinceMs });
  }

  kill(): void {
    this.isAlive = false;
    this.isKilled = true;
  }

  /** Ends the invocation at the head. */
  finish(kind: ChildOutcome['kind'] = 'returned', more: Partial<ChildOutcome> = {}): void {
    this.given.shift()!.onOutcome({ ...NOTHING, kind, ...more });
  }

  /** The process ends: the invocation at the head by this, those behind it did not start. */
  exit(kind: ChildOutcome['kind'] = 'killed'): void {
    this.isAlive = false;
    this.#isGone = true;
    const [head, ...behind] = this.given.splice(0);
    head?.onOutcome({ ...NOTHING, kind });
    for (const { onOutcome } of behind) onOutcome({ ...NOTHING, kind: 'notStarted' });
    for (const listener of this.#exitListeners) listener();
  }
}

/** A load that a test decides on. */
export interface Load {
  readonly spec: LoadSpec;
  readonly signal: AbortSignal;
  succeed(): FakeChild;
  fail(error: Error | LoadError): void;
}

/** A language host without processes. */
export class FakeHost {
  readonly loads: Load[] = [];
  readonly children: FakeChild[] = [];
  /** Loads succeed at once. */
  loadsAtOnce = true;

  load(spec: LoadSpec, signal: AbortSignal): Promise<HostChild> {
    return new Promise((resolve, reject) => {
      const succeed = () => {
        const child = new FakeChild(spec);
        this.children.push(child);
        resolve(child as unknown as HostChild);
        return child;
      };
      signal.addEventListener('abort', () => reject(new Error('no longer wanted')));
      this.loads.push({ spec, signal, succeed, fail: reject });
      if (this.loadsAtOnce) succeed();
    });
  }

  /** What a worker takes for the real one. */
  get asLanguageHost(): LanguageHost {
    return this as unknown as LanguageHost;
  }
}

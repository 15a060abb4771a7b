/**
 * A signal that aborts with another one or after a time. `AbortSignal.any` of an `AbortSignal.timeout` will not do: Node.js
 * 20 may collect the pair as garbage, and it never aborts then.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #other: AbortSignal;
  readonly #abort = (): void => this.#controller.abort();

  constructor(timeoutMs: number, other: AbortSignal) {
    this.#timer = setTimeout(this.#abort, timeoutMs).unref();
    this.#other = other;
    if (other.aborted) this.#abort();
    else other.addEventListener('abort', this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** It is no longer needed. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#other.removeEventListener('abort', this.#abort);
  }
}

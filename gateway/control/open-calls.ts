/** How many calls are between their start and their record: a shutdown waits for them. */
export class OpenCalls {
  #count = 0;
  #onIdle: (() => void) | undefined;

  /** Hot. */
  opened(): void {
    this.#count++;
  }

  /** Hot. */
  closed(): void {
    this.#count--;
    if (this.#count === 0) this.#onIdle?.();
  }

  /** Resolves when none is open, or the time is over. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      setTimeout(resolve, timeoutMs).unref();
    });
  }
}

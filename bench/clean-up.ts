/** What was started and must be ended again, the last one first. */
export class CleanUp {
  readonly #steps: (() => Promise<void> | void)[] = [];

  after(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Takes every step, also where one fails; then rejects with the first fault. May be called twice. */
  async run(): Promise<void> {
    const faults: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (fault) {
        faults.push(fault);
      }
    }
    if (faults.length > 0) throw faults[0];
  }
}

/** Work on the same key runs one after the other, in the order of the calls; work on other keys does not wait. */
export class Turns {
  /** What runs or waits last, by key; it never rejects. */
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves or rejects as `work` does. Work that asks for its own key's turn, and waits for it, waits for ever. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const forget = () => {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    };
    const ended: Promise<void> = turn.then(forget, forget);
    this.#last.set(key, ended);
    return turn;
  }

  /** Keys that someone works on or waits for. */
  get size(): number {
    return this.#last.size;
  }
}

/** A first-in-first-out line in one array: a shift costs O(1) and no allocation (the head is an index). */
export class WaitingLine<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Puts an item at the head: it was there before. */
  unshift(item: Item): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  /** Takes out every item that the test picks. */
  takeWhere(isPicked: (item: Item) => boolean): Item[] {
    const waiting = this.#items.slice(this.#head) as Item[];
    const taken = waiting.filter(isPicked);
    if (taken.length > 0) {
      this.#items = waiting.filter((item) => !isPicked(item));
      this.#head = 0;
    }
    return taken;
  }
}

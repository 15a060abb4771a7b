/** What waits, of several owners who take turns: of each, what came first goes first. */
export class FairLine<Item> {
  /** In the order of their next turns; none is empty. */
  readonly #owners = new Map<string, Set<Item>>();

  push(owner: string, item: Item): void {
    const items = this.#owners.get(owner);
    if (items === undefined) this.#owners.set(owner, new Set([item]));
    else items.add(item);
  }

  /** Takes the next one out. */
  shift(): Item | undefined {
    for (const [owner, items] of this.#owners) {
      this.#owners.delete(owner);
      const [item] = items;
      items.delete(item!);
      if (items.size > 0) this.#owners.set(owner, items);
      return item;
    }
    return undefined;
  }

  /** Takes that one out, if it waits. */
  delete(owner: string, item: Item): void {
    const items = this.#owners.get(owner);
    items?.delete(item);
    if (items?.size === 0) this.#owners.delete(owner);
  }
}

/** Numbers between 0 and 1, the same ones for the same seed (mulberry32): what is compared gets the same calls. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The values in an order of chance. */
export function shuffle<Value>(values: readonly Value[], random: () => number): Value[] {
  const shuffled = [...values];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
  }
  return shuffled;
}

/** Zipf's law, by which calls of many functions spread: the one of rank k is called 1 / (k + 1) ** exponent as often as the first. */
export class Zipf {
  /** Share of the calls that go to this rank or one before it. */
  readonly #sums: Float64Array;
  readonly #random: () => number;

  constructor(count: number, exponent: number, random: () => number) {
    this.#random = random;
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) this.#sums[rank] = sum += 1 / (rank + 1) ** exponent;
    for (let rank = 0; rank < count; rank++) this.#sums[rank]! /= sum;
  }

  /** The next rank, from 0. */
  next(): number {
    const wanted = this.#random();
    let [low, high] = [0, this.#sums.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

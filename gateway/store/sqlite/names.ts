import { LRUCache } from 'lru-cache';
import type { Database, Statement } from './database.ts';

/** About 100 bytes each; as many functions as `Targets` keeps, and their projects. */
const MAX_CACHED = 200_000;

/** Small numbers for texts that many rows repeat: an integer column and index cost a third of a UUID's. */
export class Names {
  readonly #numbers = new LRUCache<string, number>({ max: MAX_CACHED });
  readonly #insert: Statement<[string]>;
  readonly #select: Statement<[string], { number: number }>;

  constructor(database: Database) {
    this.#insert = database.prepare('INSERT INTO names (text) VALUES (?) ON CONFLICT DO NOTHING');
    this.#select = database.prepare('SELECT number FROM names WHERE text = ?');
  }

  /** Hot. The text's number, given to it if need be; inside a transaction only. */
  numberOf(text: string): number {
    const cached = this.#numbers.get(text);
    if (cached !== undefined) return cached;
    const found = this.find(text);
    if (found !== undefined) return found;
    this.#insert.run(text);
    return this.#select.get(text)!.number; // kept in memory at the next use, when this transaction is committed
  }

  find(text: string): number | undefined {
    const number = this.#select.get(text)?.number;
    if (number !== undefined) this.#numbers.set(text, number);
    return number;
  }

  /** A transaction failed: numbers that it gave are gone. */
  forget(): void {
    this.#numbers.clear();
  }
}

import type { Database, Statement } from './database.ts';
import type { GroupCommit, GroupPart } from './group-commit.ts';

/**
 * The revision of what is defined: runtimes, functions, versions, aliases. A group that changes any of them raises it by one, so
 * that other processes on the same database can tell by one small read that what they keep in memory may be old.
 */
export class Definitions implements GroupPart {
  readonly #commit: GroupCommit;
  readonly #raise: Statement<[]>;
  readonly #read: Statement<[], { revision: number }>;
  /** How often this process raised the revision. */
  #ownChanges = 0;
  #isChanging = false;

  constructor(database: Database, commit: GroupCommit) {
    this.#commit = commit;
    this.#raise = database.prepare('UPDATE definitions SET revision = revision + 1');
    this.#read = database.prepare('SELECT revision FROM definitions');
    commit.addPart(this);
  }

  /** Something is changed by the group that is being committed. */
  change(): void {
    this.#isChanging = true;
  }

  foreignChanges(): Promise<number> {
    return this.#commit.read(() => this.#read.get()!.revision - this.#ownChanges);
  }

  apply(): void {
    if (this.#isChanging) this.#raise.run();
  }

  keep(): void {
    if (this.#isChanging) this.#ownChanges++;
    this.#isChanging = false;
  }

  discard(): void {
    this.#isChanging = false;
  }
}

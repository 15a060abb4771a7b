import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionRecord, ExecutionStore } from '../store/store.ts';
import { attemptNumber } from './attempts.ts';
import { SharedWindow, type Share } from './shared-window.ts';

/** Accepted asynchronous executions that this process looks after at a time; the rest waits in the database. */
const WINDOW = 10_000;
/** The same in characters of their inputs. */
const WINDOW_LENGTH = 128 * 1024 * 1024;
/** A function that fell behind is read on when it holds less than this part of what it may. */
const LOW_PART = 0.5;
/** Functions of one look at the database. */
const FUNCTIONS_AT_ONCE = 1_000;
const FAULT_MS = 1_000;

/** What one function's executions hold of the window, and where it stands. */
interface Backlog extends Share {
  readonly functionId: string;
  isBehind: boolean;
  /** Executions up to this one were run or read; ids rise in the order of acceptance. */
  lastId: string;
  /** Something was accepted since the last read began: perhaps after the database looked. */
  hasMissed: boolean;
  /** The last read began after executions that are to be read. */
  isRewound: boolean;
}

interface Open {
  readonly backlog: Backlog;
  /** Of its input. */
  readonly length: number;
  readonly attempt: number;
  /** The next attempt was due before the end of this one was told. */
  next: ExecutionRecord | undefined;
}

/**
 * Asynchronous executions between their 201 and their start: a window in memory over a queue in the database, which
 * functions share. Of each function:
 *
 *   Following: every accepted execution is run as it comes --its share is full--> Behind
 *   Behind: accepted ones stay in the database; as runs end, the next are read --none left--> Following
 *
 * At a start every function is Behind, which is how executions that an earlier process accepted are taken up; so it is
 * after a rewind, where executions in the database are older than those that were read: another gateway's, or ones whose
 * next attempt is due.
 */
export class AsyncQueue {
  readonly #store: ExecutionStore;
  readonly #run: (record: ExecutionRecord) => void;
  readonly #onFault: (cause: unknown) => void;
  readonly #window = new SharedWindow(WINDOW, WINDOW_LENGTH);
  /** Of functions that hold something or are behind. */
  readonly #backlogs = new Map<string, Backlog>();
  /** Those to be read next, one after the other. */
  readonly #toRead = new Set<Backlog>();
  /** Executions whose end was not told yet. */
  readonly #open = new Map<string, Open>();
  /** Which functions have executions in the database is being found out: any may. */
  #isListing = true;
  #isListingAgain = false;
  #isReading = false;
  #isClosed = false;

  /** `run` starts one execution, and `ended` is called for each when it has come to its end. */
  constructor(store: ExecutionStore, run: (record: ExecutionRecord) => void, onFault: (cause: unknown) => void) {
    this.#store = store;
    this.#run = run;
    this.#onFault = onFault;
  }

  get openRuns(): number {
    return this.#open.size;
  }

  start(): void {
    void this.#list();
  }

  /** An execution was accepted and is durable. */
  offer(record: ExecutionRecord): void {
    if (this.#isClosed) return;
    const backlog = this.#backlogOf(record.functionId);
    if (record.id <= backlog.lastId) return;
    if (!backlog.isBehind && this.#window.hasRoom(backlog)) {
      backlog.lastId = record.id;
      return this.#take(backlog, record);
    }
    backlog.isBehind = true;
    backlog.hasMissed = true;
    this.#readSoon(backlog);
  }

  /** One that may be older than others that were run: it waits for its next attempt, which is due. */
  readmit(record: ExecutionRecord): void {
    if (this.#isClosed) return;
    const backlog = this.#backlogOf(record.functionId);
    const mayTake = !backlog.isBehind && this.#window.hasRoom(backlog);
    if (mayTake || this.#open.has(record.id)) this.#take(backlog, record);
    else this.#fallBehind(backlog);
  }

  /** Reads again from the oldest: executions of another gateway have become this one's. */
  rewind(): void {
    for (const backlog of this.#backlogs.values()) this.#fallBehind(backlog);
    this.#isListingAgain = true;
    if (!this.#isListing) void this.#list();
  }

  ended(id: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    const { backlog, length, next } = open;
    this.#open.delete(id);
    this.#window.giveBack(backlog, length);
    if (next !== undefined) this.#take(backlog, next);
    this.#goOn(backlog);
    this.#read();
  }

  /** Takes no more; what is in the database stays there. */
  close(): void {
    this.#isClosed = true;
  }

  #backlogOf(functionId: string): Backlog {
    const known = this.#backlogs.get(functionId);
    if (known !== undefined) return known;
    const [isBehind, lastId, hasMissed, isRewound] = [this.#isListing, '', false, false];
    const backlog: Backlog = { functionId, count: 0, length: 0, isBehind, lastId, hasMissed, isRewound };
    this.#backlogs.set(functionId, backlog);
    return backlog;
  }

  #take(backlog: Backlog, record: ExecutionRecord): void {
    if (this.#isClosed) return;
    const attempt = attemptNumber(record);
    const open = this.#open.get(record.id);
    if (open !== undefined) {
      if (attempt > open.attempt) open.next = record; // else it was read again after a rewind
      return;
    }
    const length = record.input?.length ?? 0;
    this.#open.set(record.id, { backlog, length, attempt, next: undefined });
    this.#window.take(backlog, length);
    this.#run(record);
  }

  /** What is not behind is not read, so that nothing reads for a backlog that is forgotten. */
  #goOn(backlog: Backlog): void {
    if (backlog.isBehind) return this.#readSoon(backlog);
    this.#toRead.delete(backlog);
    if (backlog.count === 0) this.#backlogs.delete(backlog.functionId);
  }

  #fallBehind(backlog: Backlog): void {
    backlog.isBehind = true;
    backlog.isRewound = true;
    backlog.lastId = '';
    this.#readSoon(backlog);
  }

  /** Where it has room. One that holds nothing waits until others give room back, else the end of one of its own is awaited. */
  #readSoon(backlog: Backlog): void {
    if (backlog.count > 0 && !this.#window.hasRoom(backlog, LOW_PART)) return;
    this.#toRead.add(backlog);
    this.#read();
  }

  #read(): void {
    if (!this.#isReading && this.#toRead.size > 0) void this.#readAll();
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    for (const backlog of this.#toRead) {
      const hasRoom = this.#window.hasRoom(backlog);
      if (this.#isClosed || (!hasRoom && backlog.count === 0)) break; // there is none for anybody
      this.#toRead.delete(backlog);
      if (hasRoom) await this.#readNext(backlog);
    }
    this.#isReading = false;
  }

  async #readNext(backlog: Backlog): Promise<void> {
    const { functionId, lastId } = backlog;
    backlog.hasMissed = false;
    backlog.isRewound = false;
    const after = lastId === '' ? undefined : lastId;
    const room = this.#window.roomFor(backlog);
    const records = await this.#ask(() => this.#store.listUnstarted(functionId, after, room));
    backlog.isBehind = records.length > 0 || backlog.hasMissed || backlog.isRewound;
    if (!backlog.isRewound) backlog.lastId = records.at(-1)?.id ?? lastId;
    for (const record of records) this.#take(backlog, record);
    this.#goOn(backlog);
  }

  /** Finds the functions that have executions in the database. */
  async #list(): Promise<void> {
    this.#isListing = true;
    let after: string | undefined;
    do {
      if (after === undefined) this.#isListingAgain = false;
      const functionIds = await this.#ask(() => this.#store.listUnstartedFunctions(after, FUNCTIONS_AT_ONCE));
      for (const functionId of functionIds) this.#fallBehind(this.#backlogOf(functionId));
      after = functionIds.at(-1);
    } while (after !== undefined || this.#isListingAgain);
    this.#isListing = false;
  }

  /** What the database answers, when it does; nothing once the queue is closed. */
  async #ask<Found>(read: () => Promise<Found[]>): Promise<Found[]> {
    while (!this.#isClosed) {
      try {
        return await read();
      } catch (cause) {
        this.#onFault(cause);
        await sleep(FAULT_MS, undefined, { ref: false });
      }
    }
    return [];
  }
}

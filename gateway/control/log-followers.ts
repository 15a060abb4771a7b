import type { Link } from '../link/link.ts';
import type { PendingCall } from '../link/pending-table.ts';
import { ExecutionStatus, type ExecutionStore } from '../store/store.ts';
import type { EndWatch } from './end-watch.ts';
import { renderLog } from './execution-log.ts';
import { tooManyWaiters } from './execution-waiters.ts';
import { FollowedLog } from './followed-log.ts';

const MAX_FOLLOWERS = 200;
/** A run begins, moves to another worker, or its agent comes back: a follower goes after it within so long. */
const ATTACH_MS = 100;

/** An invocation that an agent has at the moment. */
export interface LiveRun {
  readonly call: PendingCall;
  readonly link: Link;
}

/** Readers of logs of executions that run. Text comes as it is printed where this process runs the execution. */
export class LogFollowers {
  readonly #store: ExecutionStore;
  readonly #watch: EndWatch;
  readonly #findRun: (executionId: string) => LiveRun | undefined;
  readonly #open = new Set<FollowedLog>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(store: ExecutionStore, watch: EndWatch, findRun: (executionId: string) => LiveRun | undefined) {
    this.#store = store;
    this.#watch = watch;
    this.#findRun = findRun;
  }

  get count(): number {
    return this.#open.size;
  }

  /** The execution's log until it is final, the signal aborts, or `close` was called. Throws TOO_MANY_WAITERS. */
  async *follow(executionId: string, signal: AbortSignal): AsyncIterable<string> {
    if (this.#open.size >= MAX_FOLLOWERS) throw tooManyWaiters();
    const followed = new FollowedLog(executionId);
    const onAbort = (): void => followed.close();
    const stop = this.#watch.watch(executionId, (end) => {
      if (end === undefined) return void this.#finish(followed).catch(() => followed.close());
      followed.end(end.status, end.log);
      if (end.isFinal) followed.close();
    });
    this.#open.add(followed);
    this.#timer ??= setInterval(() => this.#attachAll(), ATTACH_MS).unref();
    signal.addEventListener('abort', onAbort);
    try {
      if (signal.aborted || this.#isClosed) followed.close();
      else await this.#begin(followed);
      for (;;) {
        const part = await followed.next();
        if (part === undefined) return;
        yield part;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      stop();
      this.#remove(followed);
    }
  }

  /** Ends all readings where they are. */
  close(): void {
    this.#isClosed = true;
    for (const followed of this.#open) followed.close();
  }

  async #begin(followed: FollowedLog): Promise<void> {
    const record = await this.#store.get(followed.executionId, null);
    if (record === undefined) return followed.close();
    if (record.status !== ExecutionStatus.Running) {
      followed.whole(renderLog(record, (await this.#store.getLog(record.id)) ?? null));
      return followed.close();
    }
    followed.begin();
    this.#attach(followed);
  }

  /** The execution is final or gone, and nobody here ended it. */
  async #finish(followed: FollowedLog): Promise<void> {
    const record = await this.#store.get(followed.executionId, null);
    const log = (await this.#store.getLog(followed.executionId)) ?? null;
    if (record !== undefined && !followed.isOver) followed.end(record.status, log);
    followed.close();
  }

  #attachAll(): void {
    for (const followed of this.#open) this.#attach(followed);
  }

  #attach(followed: FollowedLog): void {
    const run = this.#findRun(followed.executionId);
    if (run === undefined || followed.isOver) return;
    const { stream } = followed;
    if (stream?.isOver === false && stream.call === run.call && stream.link === run.link) return;
    stream?.stop();
    followed.stream = run.link.follow(run.call, (offset, log) => followed.take(offset, log));
  }

  #remove(followed: FollowedLog): void {
    followed.close();
    this.#open.delete(followed);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

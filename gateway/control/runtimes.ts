import { randomUUID } from 'node:crypto';
import { Deadline } from '../../protocol/deadline.ts';
import { isInScope, type Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { Orchestrator, PoolSpec } from '../orchestrator/orchestrator.ts';
import { RuntimeStatus, type Chunks, type RuntimeRecord, type Store } from '../store/store.ts';
import { listAmong, type Paging } from './lists.ts';
import { Turns } from './turns.ts';

export interface NewRuntime {
  readonly name: string | null;
  readonly image: string;
  readonly description: string | null;
  readonly isPublic: boolean;
  readonly isTrusted: boolean;
}

export interface RuntimeChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly image?: string | undefined;
}

export interface PoolCapacity {
  readonly total: number;
  readonly available: number;
}

/** What the invoke side knows of a runtime's workers. */
export interface PoolUsage {
  capacity(poolName: string): PoolCapacity | undefined;
  hasBoundWorkers(runtimeId: string): boolean;
}

export interface RuntimesOptions {
  /** How long a pool may take to become ready. */
  readonly timeoutMs: number;
  readonly onFault: (cause: unknown, message: string) => void;
}

/** What goes on for a runtime in the background. */
interface Work {
  readonly stop: AbortController;
  /** Never rejects. */
  readonly done: Promise<void>;
}

/**
 * A runtime's life with its pool. The pool is made, changed and removed in the background; changes of one record take
 * turns.
 *
 *   creating --ok--> available --new image--> upgrading --ok, or rolled back--> available
 *      └──failed──► error                          └──not even back──► error
 *   any --delete--> deleting --> gone
 *
 * All runtimes are in memory (they are few), so that the road of a call looks them up without a wait.
 */
export class Runtimes {
  readonly #store: Store;
  readonly #orchestrator: Orchestrator;
  readonly #usage: PoolUsage;
  readonly #options: RuntimesOptions;
  readonly #runtimes = new Map<string, RuntimeRecord>();
  readonly #turns = new Turns();
  /** By runtime. */
  readonly #work = new Map<string, Work>();
  #isClosed = false;

  constructor(store: Store, orchestrator: Orchestrator, usage: PoolUsage, options: RuntimesOptions) {
    this.#store = store;
    this.#orchestrator = orchestrator;
    this.#usage = usage;
    this.#options = options;
  }

  /** Reads all runtimes, and takes up what an earlier process left under way. */
  async start(): Promise<void> {
    for (const record of await this.#store.runtimes.list(null)) {
      this.#runtimes.set(record.id, record);
      const { status, image } = record;
      if (status === RuntimeStatus.Creating) this.#inBackground(record.id, (stop) => this.#makePool(record, stop));
      // Which image it had is not known any more: where the new one fails, nothing is left to go back to.
      if (status === RuntimeStatus.Upgrading)
        this.#inBackground(record.id, (stop) => this.#changePool(record, image, stop));
      if (status === RuntimeStatus.Deleting) this.#inBackground(record.id, () => this.#remove(record));
    }
  }

  get count(): number {
    return this.#runtimes.size;
  }

  hasImage(image: string): boolean {
    return [...this.#runtimes.values()].some((record) => record.image === image);
  }

  /** The pools that there should be now. */
  availablePools(): PoolSpec[] {
    const records = [...this.#runtimes.values()];
    return records.filter(({ status }) => status === RuntimeStatus.Available).map(toPoolSpec);
  }

  /** Hot. */
  find(id: string): RuntimeRecord | undefined {
    return this.#runtimes.get(id);
  }

  poolNameOf(record: RuntimeRecord): string | undefined {
    return this.#orchestrator.poolName(toPoolSpec(record));
  }

  async create(access: Access, request: NewRuntime): Promise<RuntimeRecord> {
    const record = newRecord(access, request);
    await this.#store.runtimes.insert(record);
    this.#begin(record);
    return record;
  }

  /** Creates these where there is no runtime at all, also where another gateway on the same store does the same. */
  async createFirst(access: Access, requests: readonly NewRuntime[]): Promise<void> {
    if (this.#runtimes.size > 0 || requests.length === 0) return;
    const records = requests.map((request) => newRecord(access, request));
    if (await this.#store.runtimes.insertFirst(records)) for (const record of records) this.#begin(record);
    else await this.refresh();
  }

  /** Sees what other gateways on the same store have changed. */
  async refresh(): Promise<void> {
    const records = await this.#store.runtimes.list(null);
    const ids = new Set(records.map(({ id }) => id));
    for (const id of this.#runtimes.keys()) if (!ids.has(id)) this.#runtimes.delete(id);
    for (const record of records) this.#runtimes.set(record.id, record);
  }

  /** Those in scope and the public ones, in the order of their creation. */
  async *list(access: Access, paging: Paging): Chunks<RuntimeRecord> {
    yield* listAmong(await this.#store.runtimes.list(access.scope), paging);
  }

  /** Throws NOT_FOUND, also for another project's private one. */
  get(access: Access, id: string): RuntimeRecord {
    const record = this.#runtimes.get(id);
    const isVisible = record !== undefined && (record.isPublic || isInScope(access, record.projectId));
    if (!isVisible) throw notFound(`Runtime not found [id=${id}]`);
    return record;
  }

  /** Throws NOT_FOUND, CONFLICT (an image while the runtime is not available), IN_USE (its workers hold functions). */
  update(access: Access, id: string, change: RuntimeChange): Promise<RuntimeRecord> {
    return this.#turns.run(id, async () => {
      const record = this.get(access, id);
      const { image } = change;
      if (image !== undefined && record.status !== RuntimeStatus.Available) throw notAvailable(id);
      if (image !== undefined && image !== record.image) {
        if (this.#usage.hasBoundWorkers(id)) {
          throw new QinlingError('IN_USE', `Runtime ${id} is still in use by functions.`);
        }
        const upgrading = await this.#change(id, {
          ...plain(change),
          status: RuntimeStatus.Upgrading,
          statusReason: null,
        });
        this.#inBackground(id, (stop) => this.#changePool(upgrading, record.image, stop));
        return upgrading;
      }
      const isChanged =
        (change.name !== undefined && change.name !== record.name) ||
        (change.description !== undefined && change.description !== record.description);
      return isChanged ? this.#change(id, plain(change)) : record;
    });
  }

  /** Throws NOT_FOUND, IN_USE. */
  delete(access: Access, id: string): Promise<void> {
    return this.#turns.run(id, async () => {
      const record = this.get(access, id);
      await this.#refuseInUse(id);
      const deleting = await this.#change(id, { status: RuntimeStatus.Deleting });
      try {
        await this.#refuseInUse(id); // a function may have come in between; from here on none does
      } catch (error) {
        await this.#change(id, { status: record.status });
        throw error;
      }
      this.#inBackground(id, () => this.#remove(deleting));
    });
  }

  /** Throws NOT_FOUND, also where the runtime has no pool. */
  pool(access: Access, id: string): { name: string; capacity: PoolCapacity } {
    const record = this.get(access, id);
    const poolName = this.poolNameOf(record);
    const capacity = poolName === undefined ? undefined : this.#usage.capacity(poolName);
    if (capacity === undefined) throw notFound('Runtime not found');
    return { name: id, capacity };
  }

  /** Ends the background work; what was under way is taken up at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const work = [...this.#work.values()];
    for (const { stop } of work) stop.abort();
    await Promise.all(work.map(({ done }) => done));
  }

  #begin(record: RuntimeRecord): void {
    this.#runtimes.set(record.id, record);
    this.#inBackground(record.id, (stop) => this.#makePool(record, stop));
  }

  async #refuseInUse(id: string): Promise<void> {
    if (await this.#store.functions.hasRuntime(id)) throw new QinlingError('IN_USE', `Runtime ${id} is still in use.`);
  }

  /** Starts work on a runtime's pool, once what went on for it has stopped. */
  #inBackground(id: string, work: (stop: AbortSignal) => Promise<void>): void {
    const before = this.#work.get(id);
    before?.stop.abort();
    const stop = new AbortController();
    const run = async () => {
      await before?.done;
      if (!this.#isClosed) await work(stop.signal);
    };
    const done = run()
      .catch((cause: unknown) => this.#options.onFault(cause, `runtime ${id} could not be brought on`))
      .finally(() => {
        if (this.#work.get(id)?.stop === stop) this.#work.delete(id);
      });
    this.#work.set(id, { stop, done });
  }

  /** Runs work that must end in the time that a pool may take. */
  async #inTime(stop: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const deadline = new Deadline(this.#options.timeoutMs, stop);
    try {
      await work(deadline.signal);
    } finally {
      deadline.clear();
    }
  }

  async #makePool(record: RuntimeRecord, stop: AbortSignal): Promise<void> {
    try {
      await this.#inTime(stop, (signal) => this.#orchestrator.createPool(toPoolSpec(record), signal));
      await this.#moveOn(record.id, RuntimeStatus.Creating, { status: RuntimeStatus.Available, statusReason: null });
    } catch (cause) {
      if (stop.aborted) return;
      await this.#moveOn(record.id, RuntimeStatus.Creating, {
        status: RuntimeStatus.Error,
        statusReason: this.#reasonOf(cause, record),
      });
    }
  }

  async #changePool(record: RuntimeRecord, oldImage: string, stop: AbortSignal): Promise<void> {
    try {
      await this.#inTime(stop, (signal) => this.#orchestrator.updatePool(toPoolSpec(record), signal));
      await this.#moveOn(record.id, RuntimeStatus.Upgrading, { status: RuntimeStatus.Available, statusReason: null });
    } catch (cause) {
      if (!stop.aborted) await this.#rollBack(record, oldImage, this.#reasonOf(cause, record), stop);
    }
  }

  async #rollBack(record: RuntimeRecord, oldImage: string, statusReason: string, stop: AbortSignal): Promise<void> {
    const old = { ...record, image: oldImage };
    try {
      await this.#inTime(stop, (signal) => this.#orchestrator.updatePool(toPoolSpec(old), signal));
      await this.#moveOn(record.id, RuntimeStatus.Upgrading, {
        image: oldImage,
        status: RuntimeStatus.Available,
        statusReason,
      });
    } catch (cause) {
      if (stop.aborted) return;
      this.#options.onFault(cause, `runtime ${record.id} could not be rolled back`);
      await this.#moveOn(record.id, RuntimeStatus.Upgrading, { status: RuntimeStatus.Error, statusReason });
    }
  }

  async #remove(record: RuntimeRecord): Promise<void> {
    await this.#orchestrator.deletePool(toPoolSpec(record));
    await this.#store.runtimes.delete(record.id);
    this.#runtimes.delete(record.id);
  }

  /** What the runtime's users read; what is our own fault they do not understand, and it is logged. */
  #reasonOf(cause: unknown, { id }: RuntimeRecord): string {
    if (cause instanceof QinlingError) return cause.message;
    this.#options.onFault(cause, `the pool of runtime ${id} failed`);
    return 'The pool could not be made.';
  }

  /** A change that only holds while the status is the expected one: it may have been deleted meanwhile. */
  async #moveOn(id: string, from: RuntimeStatus, change: Partial<RuntimeRecord>): Promise<void> {
    await this.#turns.run(id, async () => {
      if (this.#runtimes.get(id)?.status === from) await this.#change(id, change);
    });
  }

  async #change(id: string, change: Partial<RuntimeRecord>): Promise<RuntimeRecord> {
    const changed = await this.#store.runtimes.update(id, change);
    if (changed === undefined) throw notFound(`Runtime not found [id=${id}]`);
    this.#runtimes.set(id, changed);
    return changed;
  }
}

function newRecord(access: Access, request: NewRuntime): RuntimeRecord {
  return {
    id: randomUUID(),
    projectId: access.projectId,
    ...request,
    status: RuntimeStatus.Creating,
    statusReason: null,
    createdAt: Date.now(),
    updatedAt: null,
  };
}

export function notAvailable(runtimeId: string): QinlingError {
  return new QinlingError('CONFLICT', `Runtime ${runtimeId} is not available.`);
}

/** The 400 of a function that wants a runtime which is not available. */
export function notAvailableForFunctions(runtimeId: string): QinlingError {
  return invalidInput(`Runtime ${runtimeId} is not available.`);
}

function toPoolSpec({ id, image, isTrusted }: RuntimeRecord): PoolSpec {
  return { runtimeId: id, image, isTrusted };
}

/** Without the keys that were not given. */
function plain(change: RuntimeChange): Partial<RuntimeRecord> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

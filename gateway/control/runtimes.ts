import { randomUUID } from 'node:crypto';
import { Deadline } from '../../protocol/deadline.ts';
import type { Caller } from '../auth/caller.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { Orchestrator, PoolSpec } from '../orchestrator/orchestrator.ts';
import { RuntimeStatus, type RuntimeRecord, type Store } from '../store/store.ts';

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

/**
 * A runtime's life with its pool. The pool is made, changed and removed in the background.
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
  readonly #stopping = new AbortController();
  readonly #work = new Set<Promise<void>>();

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
      if (record.status === RuntimeStatus.Creating) this.#inBackground(this.#makePool(record));
      if (record.status === RuntimeStatus.Upgrading) this.#inBackground(this.#changePool(record, record.image));
      if (record.status === RuntimeStatus.Deleting) this.#inBackground(this.#remove(record));
    }
  }

  get count(): number {
    return this.#runtimes.size;
  }

  /** Hot. */
  find(id: string): RuntimeRecord | undefined {
    return this.#runtimes.get(id);
  }

  poolNameOf(record: RuntimeRecord): string | undefined {
    return this.#orchestrator.poolName(toPoolSpec(record));
  }

  async create(caller: Caller, request: NewRuntime): Promise<RuntimeRecord> {
    const record: RuntimeRecord = {
      id: randomUUID(),
      projectId: caller.projectId,
      ...request,
      status: RuntimeStatus.Creating,
      statusReason: null,
      createdAt: Date.now(),
      updatedAt: null,
    };
    await this.#store.runtimes.insert(record);
    this.#runtimes.set(record.id, record);
    this.#inBackground(this.#makePool(record));
    return record;
  }

  /** The project's own and the public ones, in the order of their creation. */
  async list(caller: Caller): Promise<RuntimeRecord[]> {
    return this.#store.runtimes.list(caller.projectId);
  }

  /** Throws NOT_FOUND, also for another project's private one. */
  get(caller: Caller, id: string): RuntimeRecord {
    const record = this.#runtimes.get(id);
    const isVisible =
      record !== undefined && (record.isPublic || caller.isAdmin || record.projectId === caller.projectId);
    if (!isVisible) throw notFound(`Runtime not found [id=${id}]`);
    return record;
  }

  /** Throws NOT_FOUND, CONFLICT (an image while the runtime is not available), IN_USE (its workers hold functions). */
  async update(caller: Caller, id: string, change: RuntimeChange): Promise<RuntimeRecord> {
    const record = this.get(caller, id);
    const { image } = change;
    if (image !== undefined && image !== record.image) {
      if (record.status !== RuntimeStatus.Available) throw notAvailable(id);
      if (this.#usage.hasBoundWorkers(id)) {
        throw new QinlingError('IN_USE', `Runtime ${id} is still in use by functions.`);
      }
      const upgrading = await this.#change(id, { ...plain(change), status: RuntimeStatus.Upgrading });
      this.#inBackground(this.#changePool(upgrading, record.image));
      return upgrading;
    }
    if (image !== undefined && record.status !== RuntimeStatus.Available) throw notAvailable(id);
    const isChanged =
      (change.name !== undefined && change.name !== record.name) ||
      (change.description !== undefined && change.description !== record.description);
    return isChanged ? this.#change(id, plain(change)) : record;
  }

  /** Throws NOT_FOUND, IN_USE. */
  async delete(caller: Caller, id: string): Promise<void> {
    const record = this.get(caller, id);
    if (await this.#store.functions.hasRuntime(id)) throw new QinlingError('IN_USE', `Runtime ${id} is still in use.`);
    const deleting = await this.#change(id, { status: RuntimeStatus.Deleting });
    this.#inBackground(this.#remove({ ...record, ...deleting }));
  }

  /** Throws NOT_FOUND, also where the runtime has no pool. */
  pool(caller: Caller, id: string): { name: string; capacity: PoolCapacity } {
    const record = this.get(caller, id);
    const poolName = this.poolNameOf(record);
    const capacity = poolName === undefined ? undefined : this.#usage.capacity(poolName);
    if (capacity === undefined) throw notFound('Runtime not found');
    return { name: id, capacity };
  }

  /** Ends the background work; what was under way is taken up at the next start. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#work);
  }

  #inBackground(work: Promise<void>): void {
    const tracked = work
      .catch((cause: unknown) => this.#options.onFault(cause, 'a runtime could not be brought on'))
      .finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Runs work that must end in the time that a pool may take. */
  async #inTime(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const deadline = new Deadline(this.#options.timeoutMs, this.#stopping.signal);
    try {
      await work(deadline.signal);
    } finally {
      deadline.clear();
    }
  }

  async #makePool(record: RuntimeRecord): Promise<void> {
    try {
      await this.#inTime((signal) => this.#orchestrator.createPool(toPoolSpec(record), signal));
      await this.#moveOn(record.id, RuntimeStatus.Creating, { status: RuntimeStatus.Available, statusReason: null });
    } catch (cause) {
      if (this.#stopping.signal.aborted) return;
      const statusReason = reasonOf(cause);
      await this.#moveOn(record.id, RuntimeStatus.Creating, { status: RuntimeStatus.Error, statusReason });
    }
  }

  async #changePool(record: RuntimeRecord, oldImage: string): Promise<void> {
    try {
      await this.#inTime((signal) => this.#orchestrator.updatePool(toPoolSpec(record), signal));
      await this.#moveOn(record.id, RuntimeStatus.Upgrading, { status: RuntimeStatus.Available, statusReason: null });
    } catch (cause) {
      if (this.#stopping.signal.aborted) return;
      await this.#rollBack(record, oldImage, reasonOf(cause));
    }
  }

  async #rollBack(record: RuntimeRecord, oldImage: string, statusReason: string): Promise<void> {
    try {
      await this.#inTime((signal) => this.#orchestrator.updatePool(toPoolSpec({ ...record, image: oldImage }), signal));
      const back = { image: oldImage, status: RuntimeStatus.Available, statusReason };
      await this.#moveOn(record.id, RuntimeStatus.Upgrading, back);
    } catch (cause) {
      if (this.#stopping.signal.aborted) return;
      this.#options.onFault(cause, `runtime ${record.id} could not be rolled back`);
      await this.#moveOn(record.id, RuntimeStatus.Upgrading, { status: RuntimeStatus.Error, statusReason });
    }
  }

  async #remove(record: RuntimeRecord): Promise<void> {
    await this.#orchestrator.deletePool(toPoolSpec(record));
    await this.#store.runtimes.delete(record.id);
    this.#runtimes.delete(record.id);
  }

  /** A change that only holds while the status is the expected one: it may have been deleted meanwhile. */
  async #moveOn(id: string, from: RuntimeStatus, change: Partial<RuntimeRecord>): Promise<void> {
    if (this.#runtimes.get(id)?.status === from) await this.#change(id, change);
  }

  async #change(id: string, change: Partial<RuntimeRecord>): Promise<RuntimeRecord> {
    const changed = await this.#store.runtimes.update(id, change);
    if (changed === undefined) throw notFound(`Runtime not found [id=${id}]`);
    this.#runtimes.set(id, changed);
    return changed;
  }
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

function reasonOf(cause: unknown): string {
  return cause instanceof QinlingError ? cause.message : 'The pool could not be made.';
}

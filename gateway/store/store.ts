/**
 * The store contract: the records of the control plane and of every execution, and what holds of them.
 *
 * Several gateways may use the same records, each through a store of its own that knows its gateway's id.
 *
 * All methods may be called concurrently. A promise that resolved means: durable as far as the driver's setting says
 * (SQLite: survives a killed process, with `database.synchronous = full` also a power loss). Writes of executions are
 * committed in groups: every call of one event-loop turn shares one transaction. A reader always sees the writes that
 * were called before it. A failed commit rejects every write of its group and leaves none of them behind.
 */

import type { Attempts, RetryPolicy } from './attempts.ts';
import type { GatewayStore } from './gateway-store.ts';
import type { IdempotencyKey, TakenKey } from './idempotency-key.ts';
import type { JobStore } from './job-store.ts';
import type { WebhookStore } from './webhook-store.ts';

/** Times are milliseconds since 1970 UTC everywhere in the store. */
export type TimeMs = number;

export const RuntimeStatus = {
  Creating: 'creating',
  Available: 'available',
  Upgrading: 'upgrading',
  Error: 'error',
  Deleting: 'deleting',
} as const;
export type RuntimeStatus = (typeof RuntimeStatus)[keyof typeof RuntimeStatus];

export interface RuntimeRecord {
  readonly id: string;
  readonly projectId: string;
  readonly name: string | null;
  readonly image: string;
  readonly description: string | null;
  readonly isPublic: boolean;
  readonly isTrusted: boolean;
  readonly status: RuntimeStatus;
  /** Why the status is `error`; null otherwise. */
  readonly statusReason: string | null;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

/** What `code` of a function holds besides the keys we read; all of it is echoed to clients. */
export type CodeDocument = { readonly source: 'package' | 'swift' | 'image'; readonly [key: string]: unknown };

export interface FunctionRecord {
  readonly id: string;
  readonly projectId: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly runtimeId: string | null;
  readonly code: CodeDocument;
  /** sha256 (hex) of the tar that agents fetch; null where the code is no package. */
  readonly packageDigest: string | null;
  readonly entry: string | null;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly timeoutSeconds: number;
  /** For asynchronous executions; null where they are run once. */
  readonly retry: RetryPolicy | null;
  /** Accepted executions of version 0. Raised by the store with each inserted execution. */
  readonly count: number;
  readonly latestVersion: number;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

/** A function as it was when it was published. Only its count changes. */
export interface VersionRecord {
  readonly id: string;
  readonly functionId: string;
  /** The function's. */
  readonly projectId: string;
  /** 1 and on; one that was used is never used again. */
  readonly versionNumber: number;
  readonly description: string | null;
  /** md5 (hex) of the uploaded package. */
  readonly md5: string;
  readonly packageDigest: string;
  readonly entry: string | null;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly timeoutSeconds: number;
  /** Accepted executions of this version. Raised by the store with each inserted execution. */
  readonly count: number;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

/** A name that points at a function as it is (version 0) or at one of its versions. */
export interface AliasRecord {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly functionId: string;
  readonly functionVersion: number;
  readonly description: string | null;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

/** What another alias of the project has already: the name, or the function and version. */
export const AliasConflict = { Name: 'name', Target: 'target' } as const;
export type AliasConflict = (typeof AliasConflict)[keyof typeof AliasConflict];

export const ExecutionStatus = {
  Running: 'running',
  Success: 'success',
  Failed: 'failed',
  Error: 'error',
} as const;
export type ExecutionStatus = (typeof ExecutionStatus)[keyof typeof ExecutionStatus];

export interface ExecutionRecord {
  /** A time-ordered UUID (version 7) made by `execution-id.ts`; its leading bits are the store's integer key. */
  readonly id: string;
  readonly projectId: string;
  readonly functionId: string;
  readonly functionVersion: number;
  readonly functionAlias: string | null;
  readonly description: string | null;
  readonly status: ExecutionStatus;
  readonly isSync: boolean;
  /** What the language host gets: JSON text of an object, or null. What clients see as `input` is derived from it. */
  readonly input: string | null;
  /** JSON text as the language host wrote it (a string for failures); null while running or where there is none. */
  readonly output: string | null;
  /** Null where the contract shows no duration. */
  readonly durationSeconds: number | null;
  /** True once the attempt may have been sent to an agent: such an attempt is never started again by itself. */
  readonly isStarted: boolean;
  /** Null where it is run once, as by default. */
  readonly attempts: Attempts | null;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

/** What a function printed in one execution, at most 64 KiB. */
export interface ExecutionLog {
  readonly text: Uint8Array;
  /** True if the function printed more than was kept. */
  readonly isCut: boolean;
  /** True if the function came to its end (returned or raised); false when it was killed. */
  readonly isFinished: boolean;
}

/** The end of an execution. */
export interface ExecutionOutcome {
  readonly status: ExecutionStatus;
  readonly output: string | null;
  readonly durationSeconds: number | null;
  readonly log: ExecutionLog | null;
}

export type FilterOperator = 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte' | 'in' | 'nin' | 'has';

/** One condition on a record's field (camelCase name of the record type). `in` and `nin` have any number of values, the others one. */
export interface Filter {
  readonly field: string;
  readonly operator: FilterOperator;
  readonly values: readonly string[];
}

/** The project whose records a query sees; null: those of every project. What is out of scope is not there. */
export type Scope = string | null;

/** Where a record stands in the order of creation: created, then id. Every record is its own place. */
export interface Place {
  readonly createdAt: TimeMs;
  readonly id: string;
}

/** A stretch of a list, in the order of creation. */
export interface Page {
  readonly scope: Scope;
  readonly filters: readonly Filter[];
  /** The record that goes before it, which need not be there any more; none: it begins with the first. */
  readonly after?: Place | undefined;
  /** How many records at most; none: all. */
  readonly limit?: number | undefined;
}

/**
 * Records in chunks, none of them empty, each read when it is asked for: a list of any length is never in memory as a
 * whole. The work of one event-loop turn is bounded, however many records the filters do not let through and however
 * large those are that they do.
 */
export type Chunks<T> = AsyncIterable<readonly T[]>;

export interface RuntimeStore {
  insert(record: RuntimeRecord): Promise<void>;
  /** Adds the records where there is none at all. False: there is one, and nothing happened. */
  insertFirst(records: readonly RuntimeRecord[]): Promise<boolean>;
  get(id: string): Promise<RuntimeRecord | undefined>;
  /** Those in scope and all public ones. */
  list(scope: Scope): Promise<RuntimeRecord[]>;
  /** The record after the change, or undefined where there is none. Sets `updatedAt`. */
  update(id: string, change: Partial<Omit<RuntimeRecord, 'id'>>): Promise<RuntimeRecord | undefined>;
  delete(id: string): Promise<boolean>;
}

export interface FunctionStore {
  insert(record: FunctionRecord): Promise<void>;
  get(id: string, scope: Scope): Promise<FunctionRecord | undefined>;
  list(page: Page): Chunks<FunctionRecord>;
  update(id: string, change: Partial<Omit<FunctionRecord, 'id' | 'count'>>): Promise<FunctionRecord | undefined>;
  /** With its versions. */
  delete(id: string): Promise<boolean>;
  /** True if any function of any project refers to the runtime. */
  hasRuntime(runtimeId: string): Promise<boolean>;
  /** True if any function refers to the tar of this digest. */
  hasPackageDigest(digest: string): Promise<boolean>;
}

export interface VersionStore {
  /**
   * Adds a version, whose number becomes the function's `latestVersion`. False, and nothing happens, unless the number
   * is the next one and the function still is what the version is a snapshot of, so that its package is there.
   */
  insert(record: VersionRecord): Promise<boolean>;
  get(functionId: string, versionNumber: number): Promise<VersionRecord | undefined>;
  /** By their numbers. */
  list(functionId: string): Promise<VersionRecord[]>;
  delete(functionId: string, versionNumber: number): Promise<boolean>;
  /** True if any version of the function was published with the upload of this md5. */
  hasMd5(functionId: string, md5: string): Promise<boolean>;
  /** True if any version of any function refers to the tar of this digest. */
  hasPackageDigest(digest: string): Promise<boolean>;
}

export interface AliasStore {
  /** Tells what stands against it, and then adds nothing. */
  insert(record: AliasRecord): Promise<AliasConflict | undefined>;
  get(id: string, scope: Scope): Promise<AliasRecord | undefined>;
  getNamed(projectId: string, name: string): Promise<AliasRecord | undefined>;
  /** The aliases of the name in all projects, oldest first; at most `limit`. */
  listNamed(name: string, limit: number): Promise<AliasRecord[]>;
  list(page: Page): Chunks<AliasRecord>;
  /** The record after the change, or what stands against it; undefined where there is none. Sets `updatedAt`. */
  update(id: string, change: AliasChange): Promise<AliasRecord | AliasConflict | undefined>;
  delete(id: string): Promise<boolean>;
  /** True if an alias of any project points at the function or at one of its versions. */
  hasFunction(functionId: string): Promise<boolean>;
  hasVersion(functionId: string, versionNumber: number): Promise<boolean>;
}

export type AliasChange = Partial<Pick<AliasRecord, 'functionId' | 'functionVersion' | 'description'>>;

export interface ExecutionStore {
  /**
   * Adds a final execution, or a running one that this gateway looks after, and raises the `count` of what it runs by
   * one (and its `updatedAt`): the version's, or the function's where the version is 0.
   * `log` belongs to final ones.
   */
  insert(record: ExecutionRecord, log: ExecutionLog | null): Promise<void>;
  /** Hot: the same, without a promise. One of the two is called, once. */
  insertThen(
    record: ExecutionRecord,
    log: ExecutionLog | null,
    onWritten: () => void,
    onFault: (cause: unknown) => void,
  ): void;
  /**
   * The same, once: where the key was taken since `takenSince`, nothing is written, and it resolves with what took it.
   * Undefined: the execution was added, and has the key.
   */
  insertOnce(record: ExecutionRecord, key: IdempotencyKey, takenSince: TimeMs): Promise<TakenKey | undefined>;
  /** What took the key since then. */
  findKey(projectId: string, text: string, takenSince: TimeMs): Promise<TakenKey | undefined>;
  /** Takes a running execution and its key back as if they had never been: it did not run. */
  withdraw(record: ExecutionRecord, key: IdempotencyKey): Promise<void>;
  /** Marks that the attempt may have started. False: this gateway has no such attempt that waits for its start. */
  markStarted(id: string, attempt?: number): Promise<boolean>;
  /**
   * Ends a running execution in this attempt (1 where none is given). False: it was final already, is in another attempt,
   * or is gone; nothing changed.
   */
  settle(id: string, outcome: ExecutionOutcome, attempt?: number): Promise<boolean>;
  /** Ends this attempt of a running execution; the next one is due at that time. False as for `settle`. */
  postpone(id: string, attempt: number, dueAt: TimeMs, log: ExecutionLog | null): Promise<boolean>;
  /**
   * Begins another round of a final, asynchronous execution: it is running, without result and log, its next attempt is
   * due at that time, and this gateway looks after it. Undefined: there is no such execution.
   */
  redrive(id: string, dueAt: TimeMs): Promise<ExecutionRecord | undefined>;
  get(id: string, scope: Scope): Promise<ExecutionRecord | undefined>;
  /** The log; undefined where there is no such execution, null where it has no log yet. */
  getLog(id: string): Promise<ExecutionLog | null | undefined>;
  list(page: Page): Chunks<ExecutionRecord>;
  delete(id: string): Promise<boolean>;
  /**
   * A function's running executions of this gateway whose attempt did not start and waits for no time, oldest first: what
   * it takes up after a restart. Fewer than `limit` where they hold much; none only where there is none.
   */
  listUnstarted(functionId: string, after: string | undefined, limit: number): Promise<ExecutionRecord[]>;
  /** Functions that have such executions, and some whose attempts all wait for a time, in an order; none only where there is none. */
  listUnstartedFunctions(after: string | undefined, limit: number): Promise<string[]>;
  /** As listUnstarted of all functions, but whose attempt had started: what it settles after a restart. */
  listStarted(after: string | undefined, limit: number): Promise<ExecutionRecord[]>;
  /**
   * Has this gateway's attempts that are due wait for no time any more, those first that were due first. Resolves with
   * them: fewer than `limit` where they hold much, none only where there is none.
   */
  takeDue(now: TimeMs, limit: number): Promise<ExecutionRecord[]>;
  /** When its next attempt is due after that time; undefined where none waits. */
  nextDueAt(after: TimeMs): Promise<TimeMs | undefined>;
  /** Removes at most `limit` keys that were taken before. Resolves with the number removed. */
  pruneKeys(bounds: { takenBefore: TimeMs; limit: number }): Promise<number>;
  /**
   * Makes running executions that another gateway looked after this one's, at most `limit` at a time; null: those that
   * none does. Resolves with them, with none only where there is none. The other can start none of them from then on.
   */
  takeOver(gatewayId: string | null, limit: number): Promise<ExecutionRecord[]>;
  /**
   * Removes at most `limit` final executions that were created before `olderThan`, or that are more than the newest
   * `keep`; oldest first. Resolves with the number removed.
   */
  prune(bounds: { olderThan: TimeMs; keep: number; limit: number }): Promise<number>;
}

export interface Store {
  readonly runtimes: RuntimeStore;
  readonly functions: FunctionStore;
  readonly versions: VersionStore;
  readonly aliases: AliasStore;
  readonly executions: ExecutionStore;
  readonly jobs: JobStore;
  readonly webhooks: WebhookStore;
  readonly gateways: GatewayStore;
  /**
   * How often other processes that share the database have changed runtimes, functions, versions or aliases: when it rises, what
   * is kept of them in memory may be out of date. Counts of executions are no changes.
   */
  foreignChanges(): Promise<number>;
  /** Commits what is pending and closes. May be called twice. */
  close(): Promise<void>;
}

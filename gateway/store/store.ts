/**
 * The store contract: the records of the control plane and of every execution, and what holds of them.
 *
 * All methods may be called concurrently. A promise that resolved means: durable as far as the driver's setting says
 * (SQLite: survives a killed process, with `database.synchronous = full` also a power loss). Writes of executions are
 * committed in groups: every call of one event-loop turn shares one transaction. A reader always sees the writes that
 * were called before it. A failed commit rejects every write of its group and leaves none of them behind.
 */

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
  /** Accepted executions of version 0. Raised by the store with each inserted execution. */
  readonly count: number;
  readonly latestVersion: number;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

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
  /** True once an attempt may have been sent to an agent: such an execution is never started again by itself. */
  readonly isStarted: boolean;
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
  delete(id: string): Promise<boolean>;
  /** True if any function of any project refers to the runtime. */
  hasRuntime(runtimeId: string): Promise<boolean>;
  /** True if any function refers to the tar of this digest. */
  hasPackageDigest(digest: string): Promise<boolean>;
}

export interface ExecutionStore {
  /**
   * Adds a running or already final execution and raises the function's `count` by one (and its `updatedAt`).
   * `log` belongs to final ones. Hot: called once a warm call.
   */
  insert(record: ExecutionRecord, log: ExecutionLog | null): Promise<void>;
  /** Marks that an attempt may have started. False: no such running, unstarted execution (deleted or settled). */
  markStarted(id: string): Promise<boolean>;
  /** Ends a running execution. False: it was final already, or is gone; nothing changed. */
  settle(id: string, outcome: ExecutionOutcome): Promise<boolean>;
  get(id: string, scope: Scope): Promise<ExecutionRecord | undefined>;
  /** The log; undefined where there is no such execution, null where it has no log yet. */
  getLog(id: string): Promise<ExecutionLog | null | undefined>;
  list(page: Page): Chunks<ExecutionRecord>;
  delete(id: string): Promise<boolean>;
  /** Running executions that no attempt was started for, oldest first: what a gateway takes up after a restart. */
  listUnstarted(after: string | undefined, limit: number): Promise<ExecutionRecord[]>;
  /** Running executions whose attempt had started, oldest first: what a gateway settles after a restart. */
  listStarted(after: string | undefined, limit: number): Promise<ExecutionRecord[]>;
  /**
   * Removes at most `limit` final executions that were created before `olderThan`, or that are more than the newest
   * `keep`; oldest first. Resolves with the number removed.
   */
  prune(bounds: { olderThan: TimeMs; keep: number; limit: number }): Promise<number>;
}

export interface Store {
  readonly runtimes: RuntimeStore;
  readonly functions: FunctionStore;
  readonly executions: ExecutionStore;
  /** Commits what is pending and closes. May be called twice. */
  close(): Promise<void>;
}

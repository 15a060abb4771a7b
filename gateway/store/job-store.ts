import type { Chunks, ExecutionRecord, Page, Scope, TimeMs } from './store.ts';

export const JobStatus = {
  Running: 'running',
  Paused: 'paused',
  Done: 'done',
  Cancelled: 'cancelled',
} as const;
export type JobStatus = (typeof JobStatus)[keyof typeof JobStatus];

/**
 * Runs a function at one time, or at every match of a cron pattern.
 *
 *   running ◄──► paused      running --last run--> done      running, paused ──► cancelled
 */
export interface JobRecord {
  readonly id: string;
  readonly projectId: string;
  readonly name: string | null;
  /** Null where an alias says what runs. */
  readonly functionId: string | null;
  readonly functionAlias: string | null;
  /** 0 with an alias. */
  readonly functionVersion: number;
  /** As an execution's `input`. */
  readonly functionInput: string | null;
  /** Cron; null for a job that runs once. */
  readonly pattern: string | null;
  readonly status: JobStatus;
  /** Runs that are left; null: no end. */
  readonly count: number | null;
  readonly firstExecutionAt: TimeMs;
  /** The next run while it is not finished; the last one then. */
  readonly nextExecutionAt: TimeMs;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

export type JobChange = Partial<Omit<JobRecord, 'id' | 'projectId' | 'createdAt'>>;

/** Who refers to a function, to one of its versions, or to an alias of a project. */
export type RunReference =
  | { readonly functionId: string; readonly functionVersion?: number }
  | { readonly projectId: string; readonly functionAlias: string };

/** Jobs. Several gateways may use one store: what one of them decides holds only while the job is as it was seen. */
export interface JobStore {
  insert(record: JobRecord): Promise<void>;
  get(id: string, scope: Scope): Promise<JobRecord | undefined>;
  list(page: Page): Chunks<JobRecord>;
  /** The changed record; undefined, and nothing changed, where its status, next time or pattern is not as seen. */
  update(seen: JobRecord, change: JobChange): Promise<JobRecord | undefined>;
  /**
   * Changes a job as `update` does and adds the execution, if there is one, in the same transaction: a run is lost by
   * no crash, and done once whoever asks. False: another did it.
   */
  fire(seen: JobRecord, change: JobChange, execution: ExecutionRecord | null): Promise<boolean>;
  delete(id: string): Promise<boolean>;
  /** Running jobs that are due at that time, those that wait longest first. */
  listDue(nowMs: TimeMs, limit: number): Promise<JobRecord[]>;
  /** When the next running job is due; undefined where there is none. */
  nextDueAt(): Promise<TimeMs | undefined>;
  /** True if a running or paused job, of any project, refers to it. */
  hasUnfinished(reference: RunReference): Promise<boolean>;
  /** Removes the finished jobs of a function. */
  deleteFinished(functionId: string): Promise<void>;
}

import { randomUUID } from 'node:crypto';
import type { Access } from '../auth/access.ts';
import type { Clock } from '../clock.ts';
import { QinlingError, notFound } from '../errors.ts';
import { JobStatus, type JobRecord, type JobStore } from '../store/job-store.ts';
import type { Chunks } from '../store/store.ts';
import type { Holder } from './in-use.ts';
import { scheduleChange, scheduleNew, type NewSchedule, type ScheduleChange } from './job-schedule.ts';
import { listRecords, type ListRequest } from './lists.ts';
import type { RunName, RunNames } from './run-names.ts';

/** A job that was changed by others whenever we looked is being worked on by a program that does not end. */
const MAX_TRIES = 10;

export interface NewJob extends NewSchedule, RunName {
  readonly name: string | undefined;
  readonly functionInput: string | null | undefined;
}

/** Undefined where it was not given. */
export interface JobUpdate extends ScheduleChange {
  readonly name: string | undefined;
  readonly functionInput: string | null | undefined;
}

export interface JobsOptions {
  readonly clock: Clock;
  /** A job may be due sooner than was known. */
  readonly onChange: () => void;
}

/** Functions that run at set times: what callers say of them. `job-timer.ts` runs them. */
export class Jobs {
  readonly #store: JobStore;
  readonly #names: RunNames;
  readonly #options: JobsOptions;

  constructor(store: JobStore, names: RunNames, options: JobsOptions) {
    this.#store = store;
    this.#names = names;
    this.#options = options;
  }

  /** Throws INVALID_INPUT; NOT_FOUND for a function, version or alias that the caller does not see. */
  async create(access: Access, request: NewJob): Promise<JobRecord> {
    const nowMs = this.#options.clock.nowMs();
    const { name, functionId, functionVersion = 0, functionAlias, functionInput } = request;
    const schedule = scheduleNew(request, nowMs);
    const record: JobRecord = {
      id: randomUUID(),
      projectId: access.projectId,
      name: name ?? null,
      functionId: functionAlias === undefined ? (functionId ?? null) : null,
      functionAlias: functionAlias ?? null,
      functionVersion: functionAlias === undefined ? functionVersion : 0,
      functionInput: functionInput ?? null,
      status: JobStatus.Running,
      ...schedule,
      createdAt: nowMs,
      updatedAt: null,
    };
    await this.#names.hold(access, request, () => this.#store.insert(record));
    this.#options.onChange();
    return record;
  }

  /** Throws NOT_FOUND, also for another project's job. */
  async get(access: Access, id: string): Promise<JobRecord> {
    const record = await this.#store.get(id, access.scope);
    if (record === undefined) throw notFound(`Job not found [id=${id}]`);
    return record;
  }

  /** The jobs in scope that the filters let through, oldest first. Throws INVALID_INPUT for an unknown marker. */
  list(access: Access, request: ListRequest): Chunks<JobRecord> {
    return listRecords(this.#store, access.scope, request);
  }

  /** Throws NOT_FOUND, INVALID_INPUT. */
  async update(access: Access, id: string, request: JobUpdate): Promise<JobRecord> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const seen = await this.get(access, id);
      const change = {
        ...scheduleChange(seen, request, this.#options.clock.nowMs()),
        ...(request.name === undefined ? undefined : { name: request.name }),
        ...(request.functionInput === undefined ? undefined : { functionInput: request.functionInput }),
      };
      if (Object.keys(change).length === 0) return seen;
      const changed = await this.#store.update(seen, change);
      if (changed === undefined) continue; // it ran, or was changed, since we looked: the rules are asked anew
      this.#options.onChange();
      return changed;
    }
    throw new QinlingError('CONFLICT', `Job ${id} is being changed by others.`);
  }

  /** Throws NOT_FOUND. */
  async delete(access: Access, id: string): Promise<void> {
    await this.get(access, id);
    await this.#store.delete(id);
  }
}

/** Unfinished jobs of every project hold what they run. */
export function jobHolder(jobs: JobStore): Holder {
  return {
    ofFunction: 'running job(s)',
    ofVersion: 'running job(s)',
    ofAlias: 'running job(s)',
    holdsCode: true,
    hasFunction: (functionId) => jobs.hasUnfinished({ functionId }),
    hasVersion: (functionId, functionVersion) => jobs.hasUnfinished({ functionId, functionVersion }),
    hasAlias: (projectId, functionAlias) => jobs.hasUnfinished({ projectId, functionAlias }),
  };
}

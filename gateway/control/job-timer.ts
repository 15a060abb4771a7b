import { serviceIn } from '../auth/access.ts';
import type { Clock } from '../clock.ts';
import type { QinlingError } from '../errors.ts';
import { JobStatus, type JobChange, type JobRecord, type JobStore } from '../store/job-store.ts';
import type { Executions } from './executions.ts';
import { afterRun } from './job-schedule.ts';

/** Jobs may be made by another gateway, which does not wake us. */
const LONGEST_SLEEP_MS = 500;
const BATCH = 100;

export interface JobTimerOptions {
  readonly clock: Clock;
  readonly onFault: (cause: unknown, message: string) => void;
  readonly onWarning: (message: string) => void;
}

/**
 * Runs jobs when they are due: never before, each time once, also where several gateways look at the same store. A time
 * that passed while nobody looked is made up for by one run.
 *
 *   asleep --next job is due, or woken--> firing --all that is due has run--> asleep
 */
export class JobTimer {
  readonly #jobs: JobStore;
  readonly #executions: Pick<Executions, 'create'>;
  readonly #options: JobTimerOptions;
  #cancelSleep: (() => void) | undefined;
  #firing: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = true;

  constructor(jobs: JobStore, executions: Pick<Executions, 'create'>, options: JobTimerOptions) {
    this.#jobs = jobs;
    this.#executions = executions;
    this.#options = options;
  }

  start(): void {
    this.#isClosed = false;
    this.#sleep(0);
  }

  /** A job may be due sooner than was known. */
  wake(): void {
    this.#isWoken = true;
    if (this.#firing === undefined) this.#sleep(0);
  }

  /** Resolves when what is being fired has been. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSleep?.();
    await this.#firing;
  }

  #sleep(delayMs: number): void {
    this.#cancelSleep?.();
    if (this.#isClosed) return;
    this.#cancelSleep = this.#options.clock.after(delayMs, () => {
      this.#isWoken = false;
      this.#firing = this.#round().then((nextDelayMs) => {
        this.#firing = undefined;
        this.#sleep(this.#isWoken ? 0 : nextDelayMs);
      });
    });
  }

  /** Fires what is due; resolves with the time to sleep then. Never rejects. */
  async #round(): Promise<number> {
    const { clock, onFault } = this.#options;
    try {
      for (;;) {
        const due = await this.#jobs.listDue(clock.nowMs(), BATCH);
        const ends = await Promise.allSettled(due.map((job) => this.#fire(job)));
        const failed = ends.find((end) => end.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
        if (due.length < BATCH || this.#isClosed) break;
      }
      const nextAt = await this.#jobs.nextDueAt();
      return nextAt === undefined ? LONGEST_SLEEP_MS : Math.min(Math.max(nextAt - clock.nowMs(), 0), LONGEST_SLEEP_MS);
    } catch (cause) {
      onFault(cause, 'due jobs could not be fired; they are tried again');
      return LONGEST_SLEEP_MS;
    }
  }

  /** Rejects where the job is as it was, and still due: the store failed. A broken job moves on like any other. */
  async #fire(job: JobRecord): Promise<void> {
    const change = this.#afterRun(job);
    const refusal = await this.#run(job, change);
    if (refusal === undefined) return;
    if (refusal.code === 'UNAVAILABLE' || refusal.code === 'SHUTTING_DOWN') throw refusal;
    this.#options.onWarning(`job ${job.id} did not run: ${refusal.message}`);
    await this.#jobs.fire(job, change, null);
  }

  #afterRun(job: JobRecord): JobChange {
    const { clock, onFault } = this.#options;
    try {
      return afterRun(job, clock.nowMs());
    } catch (cause) {
      onFault(cause, `job ${job.id} has no next time`);
      return { status: JobStatus.Done };
    }
  }

  /** Has the job's execution accepted; resolves with why not. One that another gateway has fired is none of ours. */
  #run(job: JobRecord, change: JobChange): Promise<QinlingError | undefined> {
    let isOvertaken = false;
    const request = {
      functionId: job.functionId ?? undefined,
      functionAlias: job.functionAlias ?? undefined,
      functionVersion: job.functionVersion,
      input: job.functionInput,
      isSync: false,
      description: `Created by Job ${job.id}`,
    };
    // Its function was in sight of who made the job. An alias is looked up in the job's project alone.
    const access = { ...serviceIn(job.projectId), scope: job.functionId === null ? job.projectId : null };
    return new Promise((resolve) => {
      const write = async (execution: Parameters<JobStore['fire']>[2]) => {
        const isFired = await this.#jobs.fire(job, change, execution);
        isOvertaken = !isFired;
        return isFired;
      };
      this.#executions.create(access, { ...request, write }, (error) => resolve(isOvertaken ? undefined : error));
    });
  }
}

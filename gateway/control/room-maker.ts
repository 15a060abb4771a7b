import type { Workers } from '../invoke/workers.ts';
import type { Orchestrator } from '../orchestrator/orchestrator.ts';

const ROUND_MS = 500;
/** A worker that was ended has made room by then, and another one has taken it, if any can. */
const SETTLE_MS = 15_000;

export interface RoomMakerOptions {
  readonly onFault: (cause: unknown) => void;
  readonly onEnded: (count: number, poolName: string) => void;
}

/** What was done for a pool that calls wait for. */
interface Shortage {
  lacking: number;
  /** When workers were ended whose room nobody has taken yet, the oldest first. */
  readonly endedAtMs: number[];
}

/**
 * Ends idle workers, those first that were idle longest, while calls of functions without any worker wait and the
 * orchestrator has no room for one. As many as are lacking, and no more before the room that they leave is taken.
 */
export class RoomMaker {
  readonly #workers: Workers;
  readonly #orchestrator: Pick<Orchestrator, 'lackingWorkers'>;
  readonly #options: RoomMakerOptions;
  readonly #shortages = new Map<string, Shortage>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(workers: Workers, orchestrator: Pick<Orchestrator, 'lackingWorkers'>, options: RoomMakerOptions) {
    this.#workers = workers;
    this.#orchestrator = orchestrator;
    this.#options = options;
  }

  start(): void {
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#round(), ROUND_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #round(): Promise<void> {
    try {
      await this.look(performance.now());
    } catch (cause) {
      this.#options.onFault(cause);
    }
    this.start();
  }

  /** One round. */
  async look(nowMs: number): Promise<void> {
    const waitedFor = this.#workers.waitedFor();
    for (const poolName of this.#shortages.keys()) if (!waitedFor.has(poolName)) this.#shortages.delete(poolName);
    for (const [poolName, functions] of waitedFor) {
      const lacking = await this.#orchestrator.lackingWorkers(poolName);
      if (lacking > 0) this.#makeRoom(poolName, functions, lacking, nowMs);
      else this.#shortages.delete(poolName);
    }
  }

  #makeRoom(poolName: string, functions: number, lacking: number, nowMs: number): void {
    const shortage = this.#shortages.get(poolName) ?? { lacking, endedAtMs: [] };
    this.#shortages.set(poolName, shortage);
    const { endedAtMs } = shortage;
    endedAtMs.splice(0, Math.max(0, shortage.lacking - lacking)); // room was taken
    while (endedAtMs.length > 0 && nowMs - endedAtMs[0]! > SETTLE_MS) endedAtMs.shift();
    shortage.lacking = lacking;
    let ended = 0;
    while (endedAtMs.length < Math.min(functions, lacking) && this.#workers.endLongestIdle()) {
      endedAtMs.push(nowMs);
      ended++;
    }
    if (ended > 0) this.#options.onEnded(ended, poolName);
  }
}

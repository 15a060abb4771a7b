import { CgroupTree, type Cgroup } from './cgroup.ts';
import { LEAVE_ID } from './host-protocol.ts';
import { MemoryWatch } from './memory-watch.ts';
import { killStrays } from './strays.ts';
import { UserIds } from './user-ids.ts';

const OPEN_FILES = 1_024;
const PROCESSES = 128;
const FILE_BYTES = 500 * 1024 * 1024;

export interface ProcessLimits {
  readonly openFiles: number;
  /** 0: none. It counts every process of a user, so it needs a user of one's own. */
  readonly processes: number;
  readonly fileBytes: number;
}

/** What keeps one child process apart from the others; given back when it is gone. */
export interface Enclosure {
  readonly uid: number;
  readonly cgroup: Cgroup | undefined;
  readonly limits: ProcessLimits;
}

/** What this machine lets us do to keep processes of user code apart: own users, control groups, or the memory watch. */
export class Isolation {
  readonly #isElsewhere: boolean;
  readonly #cgroups: CgroupTree | undefined;
  readonly #memory = new MemoryWatch();
  readonly #userIds: UserIds | undefined;

  private constructor(userIds: UserIds | undefined, cgroups: CgroupTree | undefined, isElsewhere = false) {
    this.#isElsewhere = isElsewhere;
    this.#userIds = userIds;
    this.#cgroups = cgroups;
  }

  /** `processCount`: how many processes there will be at a time. `elsewhere`: they run in a container of their own. */
  static async open(mode: 'auto' | 'none' | 'elsewhere', processCount: number): Promise<Isolation> {
    if (mode === 'elsewhere') return new Isolation(undefined, undefined, true);
    if (mode === 'none') return new Isolation(undefined, undefined);
    const userIds = process.getuid?.() === 0 ? await UserIds.claim(processCount) : undefined;
    return new Isolation(userIds, CgroupTree.open());
  }

  /** True if processes of user code run as other users than the agent. */
  get changesUser(): boolean {
    return this.#userIds !== undefined;
  }

  /** In words, for the log. */
  describe(): string {
    if (this.#isElsewhere) return 'processes of user code have a container of their own';
    const users = this.changesUser ? 'a user of its own' : 'our own user';
    const memory = this.#cgroups === undefined ? 'memory watched, no CPU limit' : 'a control group of its own';
    return `each process of user code has ${users}, ${memory}`;
  }

  /** Throws where there is no user left. */
  enclose(childName: string): Enclosure {
    const uid = this.#userIds === undefined ? LEAVE_ID : this.#userIds.take();
    if (uid === undefined) throw new Error('no free user for another process');
    const limits = { openFiles: OPEN_FILES, processes: this.changesUser ? PROCESSES : 0, fileBytes: FILE_BYTES };
    return { uid, cgroup: this.#cgroups?.make(childName), limits };
  }

  /** Puts a function's limits in force. `onTooMuch` is called where we, not the kernel, see that memory is overdrawn. */
  limit({ cgroup }: Enclosure, pid: number, memoryBytes: number, cpuMillicores: number, onTooMuch: () => void): void {
    if (this.#isElsewhere) return; // the container's limits hold
    if (cgroup !== undefined) cgroup.limit(memoryBytes, cpuMillicores);
    else this.#memory.add(pid, memoryBytes, onTooMuch);
  }

  /** The process is gone: ends what it left behind, and takes back what it had. */
  async release({ uid, cgroup }: Enclosure, pid: number, scratchDirectory: string): Promise<void> {
    if (this.#isElsewhere) return; // their ids mean nothing here
    this.#memory.remove(pid);
    if (cgroup === undefined) killStrays(scratchDirectory);
    else await cgroup.remove();
    this.#userIds?.giveBack(uid);
  }

  close(): void {
    this.#cgroups?.remove();
    this.#userIds?.close();
  }
}

import { CgroupTree, type Cgroup } from './cgroup.ts';
import { LEAVE_ID } from './host-protocol.ts';
import { MemoryWatch } from './memory-watch.ts';

/** Users for processes of user code, where the agent may change users. No account has them, no file is theirs. */
const FIRST_UID = 64_000;
const UID_COUNT = 1_400; // 65534 is nobody's
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
  readonly changesUser: boolean;
  readonly #cgroups: CgroupTree | undefined;
  readonly #memory = new MemoryWatch();
  readonly #freeUids: number[] = [];

  constructor(mode: 'auto' | 'none', name: string) {
    this.changesUser = mode === 'auto' && process.getuid?.() === 0;
    this.#cgroups = mode === 'auto' ? CgroupTree.open(name) : undefined;
    if (this.changesUser) for (let count = UID_COUNT; count > 0; count--) this.#freeUids.push(FIRST_UID + count - 1);
  }

  /** In words, for the log. */
  describe(): string {
    const users = this.changesUser ? 'a user of its own' : 'our own user';
    const memory = this.#cgroups === undefined ? 'memory watched, no CPU limit' : 'a control group of its own';
    return `each process of user code has ${users}, ${memory}`;
  }

  /** Throws where there is no user left. */
  enclose(childName: string): Enclosure {
    const uid = this.changesUser ? this.#freeUids.pop() : LEAVE_ID;
    if (uid === undefined) throw new Error('no free user for another process');
    const limits = { openFiles: OPEN_FILES, processes: this.changesUser ? PROCESSES : 0, fileBytes: FILE_BYTES };
    return { uid, cgroup: this.#cgroups?.make(childName), limits };
  }

  /** Puts a function's limits in force. `onTooMuch` is called where we, not the kernel, see that memory is overdrawn. */
  limit({ cgroup }: Enclosure, pid: number, memoryBytes: number, cpuMillicores: number, onTooMuch: () => void): void {
    if (cgroup !== undefined) cgroup.limit(memoryBytes, cpuMillicores);
    else this.#memory.add(pid, memoryBytes, onTooMuch);
  }

  async release({ uid, cgroup }: Enclosure, pid: number): Promise<void> {
    this.#memory.remove(pid);
    await cgroup?.remove();
    if (uid !== LEAVE_ID) this.#freeUids.unshift(uid); // used last: whatever should still run there is long gone
  }

  close(): void {
    this.#cgroups?.remove();
  }
}

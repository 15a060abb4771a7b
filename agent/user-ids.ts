import { createServer, type Server } from 'node:net';

/** User ids for processes of user code. No account of a usual system is here, and no file is theirs. */
const FIRST_UID = 50_000;
/** Of an agent that is the first process of a container. */
const FIRST_CONTAINER_UID = 70_000;
const BLOCK_SIZE = 250;
const BLOCK_COUNT = 40;

/**
 * Hands out user ids that no other agent of this machine uses: what runs under one may be killed as a whole. A block of
 * ids is claimed by listening on an abstract socket of its name, which the system gives up with the process.
 *
 * Agents in containers cannot see each other's processes, nor each other's claims. An agent outside of them sees theirs
 * and not their claims, so ids of containers are others.
 */
export class UserIds {
  readonly #claims: Server[] = [];
  readonly #free: number[] = [];

  /** Claims room for so many processes at a time. Rejects where there is none. */
  static async claim(processCount: number): Promise<UserIds> {
    const ids = new UserIds();
    const firstUid = process.pid === 1 ? FIRST_CONTAINER_UID : FIRST_UID;
    for (let block = 0; block < BLOCK_COUNT && ids.#free.length < processCount; block++) {
      const claim = await claimName(`qinling-user-ids-${block}`);
      if (claim !== undefined) ids.#add(claim, firstUid + block * BLOCK_SIZE);
    }
    if (ids.#free.length > 0) return ids;
    throw new Error('every user id for user code is taken by other agents');
  }

  /** Undefined where all are in use. */
  take(): number | undefined {
    return this.#free.shift();
  }

  /** Goes to the end: whatever should still run under it is long gone when it is used again. */
  giveBack(uid: number): void {
    this.#free.push(uid);
  }

  close(): void {
    for (const claim of this.#claims) claim.close();
  }

  #add(claim: Server, firstUid: number): void {
    this.#claims.push(claim);
    for (let offset = 0; offset < BLOCK_SIZE; offset++) this.#free.push(firstUid + offset);
  }
}

function claimName(name: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(`\0${name}`, () => {
      server.unref();
      resolve(server);
    });
  });
}

import { randomUUID } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseLock } from './store/sqlite/database-lock.ts';

/** The folder that holds everything this gateway keeps, claimed for one process. */
export class DataDirectory {
  readonly path: string;
  /** Names this gateway among those that share a database: the same after a restart, another in a copy of the folder. */
  readonly gatewayId: string;
  readonly #lock: DatabaseLock;

  /** Makes the folder if need be. Throws an Error with one readable line: not writable, or used by another process. */
  constructor(path: string) {
    this.path = path;
    try {
      makeFolder(path);
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new Error(`the data directory ${path} is not writable (${(cause as NodeJS.ErrnoException).code})`, {
        cause,
      });
    }
    this.#lock = new DatabaseLock(join(path, 'gateway.lock'), `the data directory ${path} is used by another gateway`);
    this.gatewayId = readGatewayId(join(path, 'gateway.id'));
  }

  get database(): string {
    return join(this.path, 'qinling.sqlite');
  }

  get uploads(): string {
    return join(this.path, 'uploads');
  }

  close(): void {
    this.#lock.release();
  }
}

/** With those above it; not by the `recursive` of Node.js, which never returns where a file system takes no folders (/proc). */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** The file holds the id and the number of its own inode, by which a copy knows that it is one. */
function readGatewayId(path: string): string {
  const [, id, inode] = /^([0-9a-f-]{36}) (\d+)\n$/.exec(readIfThere(path)) ?? [];
  if (id !== undefined && inode === String(statSync(path).ino)) return id;
  const newId = randomUUID();
  writeFileSync(path, '', { mode: 0o600 });
  writeFileSync(path, `${newId} ${statSync(path).ino}\n`);
  return newId;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

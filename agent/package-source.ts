import { closeSync, createReadStream, fstatSync, openSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent, get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

const FETCH_TIMEOUT_MS = 30_000;
/** A tar up to this size is read at once: that takes less than to hand each step to another thread. */
const MAX_AT_ONCE_BYTES = 64 * 1024;

export interface PackageSourceOptions {
  /** http://host:port of the gateway's internal listener. */
  readonly url: string;
  readonly token: () => string;
  /** Folder where the gateway of this machine keeps packages, as `<sha256>.tar`; empty: they come from the gateway. */
  readonly storeDirectory?: string;
}

/** Where packages come from: the gateway's own files where it is on this machine, else the gateway. */
export class PackageSource {
  readonly #options: PackageSourceOptions;
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 8 });

  constructor(options: PackageSourceOptions) {
    this.#options = options;
  }

  /** The tar, its digest not checked yet; a small one as a whole. */
  async open(digest: string): Promise<Buffer | Readable> {
    const { storeDirectory = '' } = this.#options;
    const stored = storeDirectory === '' ? undefined : openFile(join(storeDirectory, `${digest}.tar`));
    if (stored !== undefined) return stored;
    const response = await this.#request(`/packages/${digest}`);
    const isSmall = Number(response.headers['content-length']) <= MAX_AT_ONCE_BYTES;
    return isSmall ? buffer(response) : response;
  }

  close(): void {
    this.#http.destroy();
  }

  #request(path: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#options.token()}` };
      const request = get(
        `${this.#options.url}${path}`,
        { agent: this.#http, headers, timeout: FETCH_TIMEOUT_MS },
        (response) => {
          if (response.statusCode === 200) return resolve(response);
          response.resume();
          reject(new Error(`the gateway answered ${response.statusCode} for the package`));
        },
      );
      request.on('timeout', () => request.destroy(new Error('the package did not come in time')));
      request.on('error', reject);
    });
  }
}

/** Undefined where it cannot be read, for whatever reason: the gateway knows more. */
function openFile(path: string): Buffer | Readable | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    if (fstatSync(file).size > MAX_AT_ONCE_BYTES) return createReadStream(path, { fd: file });
    const content = readFileSync(file);
    closeSync(file);
    return content;
  } catch {
    if (file !== undefined) closeSync(file);
    return undefined;
  }
}

import { createHash } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { Agent as HttpAgent, get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';

const FETCH_TIMEOUT_MS = 30_000;

export interface PackageCacheOptions {
  /** Folder of the unpacked packages, readable by the processes that run user code. */
  readonly directory: string;
  /** http://host:port of the gateway's internal listener. */
  readonly url: string;
  readonly token: () => string;
  /** Unused packages are removed, those not used for longest first, when all together hold more than this. */
  readonly maxBytes: number;
}

interface CachedPackage {
  readonly directory: string;
  readonly bytes: number;
  users: number;
}

/** Packages by digest: fetched once, checked, unpacked, kept while there is room; the door to tar. */
export class PackageCache {
  readonly #options: PackageCacheOptions;
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 8 });
  /** In the order of last use: a package is put back at the end when it is taken. */
  readonly #packages = new Map<string, CachedPackage>();
  readonly #fetches = new Map<string, Promise<CachedPackage>>();
  #bytes = 0;
  #fetchCount = 0;

  constructor(options: PackageCacheOptions) {
    this.#options = options;
  }

  /** The folder that holds the package, fetched if need be; every `take` is followed by one `giveBack`. */
  async take(digest: string): Promise<string> {
    const cached = this.#packages.get(digest) ?? (await this.#fetchOnce(digest));
    cached.users++;
    this.#packages.delete(digest);
    this.#packages.set(digest, cached);
    return cached.directory;
  }

  giveBack(digest: string): void {
    const cached = this.#packages.get(digest);
    if (cached === undefined) return;
    cached.users--;
    void this.#makeRoom();
  }

  close(): void {
    this.#http.destroy();
  }

  #fetchOnce(digest: string): Promise<CachedPackage> {
    let fetching = this.#fetches.get(digest);
    if (fetching === undefined) {
      fetching = this.#fetch(digest).finally(() => this.#fetches.delete(digest));
      this.#fetches.set(digest, fetching);
    }
    return fetching;
  }

  async #fetch(digest: string): Promise<CachedPackage> {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error('the package digest is no sha256');
    const directory = join(this.#options.directory, digest);
    const partial = join(this.#options.directory, `.${digest}.${this.#fetchCount++}`);
    await mkdir(partial, { recursive: true, mode: 0o755 });
    try {
      const bytes = await this.#unpack(digest, partial);
      await rename(partial, directory);
      const cached = { directory, bytes, users: 0 };
      this.#packages.set(digest, cached);
      this.#bytes += bytes;
      return cached;
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw error;
    }
  }

  async #unpack(digest: string, directory: string): Promise<number> {
    const response = await this.#request(`/packages/${digest}`);
    const hash = createHash('sha256');
    let bytes = 0;
    const tap = new PassThrough();
    tap.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    const isPlain = (_path: string, entry: object) =>
      'type' in entry && (entry.type === 'File' || entry.type === 'Directory');
    await pipeline(response, tap, extract({ cwd: directory, strict: true, preserveOwner: false, filter: isPlain }));
    if (hash.digest('hex') !== digest) throw new Error('the package does not have its digest');
    return bytes;
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

  async #makeRoom(): Promise<void> {
    for (const [digest, cached] of this.#packages) {
      if (this.#bytes <= this.#options.maxBytes) return;
      if (cached.users > 0) continue;
      this.#packages.delete(digest);
      this.#bytes -= cached.bytes;
      const doomed = `${cached.directory}.removed.${this.#fetchCount++}`;
      await rename(cached.directory, doomed);
      await rm(doomed, { recursive: true, force: true });
    }
  }
}

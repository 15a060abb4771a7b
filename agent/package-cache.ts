import { mkdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PackageSource, type PackageSourceOptions } from './package-source.ts';
import { unpack, unpackAtOnce } from './unpack.ts';

export interface PackageCacheOptions extends PackageSourceOptions {
  /** Folder of the unpacked packages, readable by the processes that run user code. */
  readonly directory: string;
  /** Unused packages are removed, those not used for longest first, when all together hold more than this. */
  readonly maxBytes: number;
  readonly onWarning: (text: string) => void;
}

interface CachedPackage {
  readonly directory: string;
  readonly bytes: number;
  users: number;
}

/** Packages by digest: fetched once, checked, unpacked, kept while there is room. */
export class PackageCache {
  readonly #options: PackageCacheOptions;
  readonly #source: PackageSource;
  /** In the order of last use: a package is put back at the end when it is taken. */
  readonly #packages = new Map<string, CachedPackage>();
  readonly #fetches = new Map<string, Promise<void>>();
  readonly #removals = new Set<Promise<void>>();
  #bytes = 0;
  #fetchCount = 0;

  constructor(options: PackageCacheOptions) {
    this.#options = options;
    this.#source = new PackageSource(options);
  }

  /** The folder that holds the package, fetched if need be; every `take` is followed by one `giveBack`. */
  async take(digest: string): Promise<string> {
    let cached = this.#packages.get(digest);
    while (cached === undefined) {
      await this.#fetchOnce(digest);
      cached = this.#packages.get(digest); // it may have gone before we could say that we use it
    }
    cached.users++;
    this.#packages.delete(digest);
    this.#packages.set(digest, cached);
    return cached.directory;
  }

  giveBack(digest: string): void {
    const cached = this.#packages.get(digest);
    if (cached === undefined) return;
    cached.users--;
    this.#makeRoom();
  }

  /** Resolves when what was to be removed is. */
  async close(): Promise<void> {
    this.#source.close();
    await Promise.all(this.#removals);
  }

  #fetchOnce(digest: string): Promise<void> {
    let fetching = this.#fetches.get(digest);
    if (fetching === undefined) {
      fetching = this.#fetch(digest).finally(() => this.#fetches.delete(digest));
      this.#fetches.set(digest, fetching);
    }
    return fetching;
  }

  async #fetch(digest: string): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error('the package digest is no sha256');
    const directory = join(this.#options.directory, digest);
    const partial = join(this.#options.directory, `.${digest}.${this.#fetchCount++}`);
    mkdirSync(partial, { recursive: true, mode: 0o755 });
    try {
      const tar = await this.#source.open(digest);
      const bytes = Buffer.isBuffer(tar) ? unpackAtOnce(tar, digest, partial) : await unpack(tar, digest, partial);
      renameSync(partial, directory);
      this.#packages.set(digest, { directory, bytes, users: 0 });
      this.#bytes += bytes;
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw error;
    }
  }

  #makeRoom(): void {
    for (const [digest, cached] of this.#packages) {
      if (this.#bytes <= this.#options.maxBytes) return;
      if (cached.users > 0) continue;
      this.#packages.delete(digest);
      this.#bytes -= cached.bytes;
      this.#remove(cached.directory);
    }
  }

  /** Renamed in this turn: its place is free for whoever fetches the package again. */
  #remove(directory: string): void {
    const doomed = `${directory}.removed.${this.#fetchCount++}`;
    const complain = (error: unknown) =>
      this.#options.onWarning(`a package was not removed: ${(error as Error).message}`);
    try {
      renameSync(directory, doomed);
    } catch (error) {
      return complain(error);
    }
    const removal = rm(doomed, { recursive: true, force: true })
      .catch(complain)
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

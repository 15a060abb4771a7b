import { rm } from 'node:fs/promises';
import type { FileSource } from '../file-source.ts';
import type { BuiltPackage, PackageBuilder } from '../packages/package-builder.ts';
import type { PackageKey, PackageStorage, StoredFile } from '../storage/package-storage.ts';
import type { Store } from '../store/store.ts';
import { md5Of } from './function-code.ts';
import { Turns } from './turns.ts';

/** Whose package it is. */
export interface PackageOwner {
  readonly id: string;
  readonly projectId: string;
}

/** A package as it was uploaded. */
export interface Upload {
  readonly source: FileSource;
  readonly md5: string;
}

/**
 * The files of functions' packages: each function's uploads as they came, which its versions share with it, and the tars
 * made of them, which functions of the same content share. A file goes with the last record that names it. Changes of
 * one function take turns; whoever names a tar and whoever removes it take turns too, so that none goes that a new
 * record is about to name.
 */
export class FunctionPackages {
  readonly #storage: PackageStorage;
  readonly #builder: PackageBuilder;
  readonly #store: Store;
  readonly #onFault: (cause: unknown, message: string) => void;
  readonly #digestTurns = new Turns();

  constructor(
    storage: PackageStorage,
    builder: PackageBuilder,
    store: Store,
    onFault: (cause: unknown, message: string) => void,
  ) {
    this.#storage = storage;
    this.#builder = builder;
    this.#store = store;
    this.#onFault = onFault;
  }

  /**
   * Checks and stores an upload, and the tar made of it; then `write` writes the record that names both. Resolves as
   * `write` does; where anything fails, no new file is left. Throws INVALID_INPUT for a package that we do not take.
   */
  async add<T>(owner: PackageOwner, upload: Upload, entry: string, write: (digest: string) => Promise<T>): Promise<T> {
    const built = await this.#builder.build(upload.source, entry);
    const key = keyOf(owner, upload.md5);
    return this.#putTar(built, async () => {
      try {
        await this.#storage.putZip(key, upload.source);
        return await write(built.digest);
      } catch (error) {
        await this.removeUploadIfUnused(owner, upload.md5);
        throw error;
      }
    });
  }

  /** Makes the tar of the stored upload anew, for another entry; undefined where the upload is not there. */
  rebuild<T>(owner: PackageOwner, md5: string, entry: string, write: (digest: string) => Promise<T>) {
    return this.#storage.withZip(keyOf(owner, md5), async (zipPath) => {
      const built = await this.#builder.build({ path: zipPath }, entry);
      return this.#putTar(built, () => write(built.digest));
    });
  }

  open(owner: PackageOwner, md5: string): Promise<StoredFile | undefined> {
    return this.#storage.openZip(keyOf(owner, md5));
  }

  /** Removes an upload unless its function or a version names it. A failure is no caller's concern: a file too many. */
  async removeUploadIfUnused(owner: PackageOwner, md5: string): Promise<void> {
    await this.#tolerate(keyOf(owner, md5), this.#dropZip(owner, md5));
  }

  /** Removes a tar unless a record names it. */
  async removeTarIfUnused(digest: string): Promise<void> {
    await this.#digestTurns.run(digest, () => this.#tolerate(digest, this.#dropTar(digest)));
  }

  async #putTar<T>({ digest, source }: BuiltPackage, write: () => Promise<T>): Promise<T> {
    try {
      return await this.#digestTurns.run(digest, async () => {
        await this.#storage.putTar(digest, source);
        try {
          return await write();
        } catch (error) {
          await this.#tolerate(digest, this.#dropTar(digest));
          throw error;
        }
      });
    } finally {
      if ('path' in source) await rm(source.path, { force: true }); // where it was not taken over
    }
  }

  async #dropZip(owner: PackageOwner, md5: string): Promise<void> {
    const record = await this.#store.functions.get(owner.id, null);
    if (record !== undefined && md5Of(record.code) === md5) return;
    if (!(await this.#store.versions.hasMd5(owner.id, md5))) await this.#storage.deleteZip(keyOf(owner, md5));
  }

  async #dropTar(digest: string): Promise<void> {
    const { functions, versions } = this.#store;
    if ((await functions.hasPackageDigest(digest)) || (await versions.hasPackageDigest(digest))) return;
    await this.#storage.deleteTar(digest);
  }

  async #tolerate(what: PackageKey | string, removal: Promise<void>): Promise<void> {
    const name = typeof what === 'string' ? `the tar ${what}` : `the package of function ${what.functionId}`;
    await removal.catch((cause: unknown) => this.#onFault(cause, `${name} was not removed`));
  }
}

function keyOf({ id, projectId }: PackageOwner, md5: string): PackageKey {
  return { projectId, functionId: id, md5 };
}

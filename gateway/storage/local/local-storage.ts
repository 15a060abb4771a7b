import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PackageKey, PackageStorage, StoredFile } from '../package-storage.ts';

/** Packages in a folder: `zips/<project>/<function>/<md5>.zip` and `tars/<sha256>.tar`. */
export class LocalStorage implements PackageStorage {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  putZip(key: PackageKey, path: string): Promise<void> {
    return moveTo(path, this.#zipPath(key));
  }

  openZip(key: PackageKey): Promise<StoredFile | undefined> {
    return openFile(this.#zipPath(key));
  }

  async withZip<T>(key: PackageKey, use: (path: string) => Promise<T>): Promise<T | undefined> {
    const path = this.#zipPath(key);
    const isThere = await stat(path).then(() => true, ignoreMissing);
    return isThere === true ? use(path) : undefined;
  }

  deleteZip(key: PackageKey): Promise<void> {
    return rm(this.#zipPath(key), { force: true });
  }

  putTar(digest: string, path: string): Promise<void> {
    return moveTo(path, this.#tarPath(digest));
  }

  async openTar(digest: string): Promise<StoredFile | undefined> {
    return openFile(this.#tarPath(digest));
  }

  deleteTar(digest: string): Promise<void> {
    return rm(this.#tarPath(digest), { force: true });
  }

  #zipPath({ projectId, functionId, md5 }: PackageKey): string {
    const project = encodeURIComponent(projectId).replaceAll('.', '%2E'); // no `..`, whatever a project is called
    return join(this.#directory, 'zips', project, functionId, `${md5}.zip`);
  }

  #tarPath(digest: string): string {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error('not a sha256');
    return join(this.#directory, 'tars', `${digest}.tar`);
  }
}

async function openFile(path: string): Promise<StoredFile | undefined> {
  const file = await open(path, 'r').catch(ignoreMissing);
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  return { bytes: size, stream: createReadStream(path, { fd: file, start: 0 }) };
}

/** A rename, so that the file appears as a whole; over file systems by way of a copy beside the target. */
async function moveTo(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const partial = `${to}.partial`;
    await copyFile(from, partial);
    await rename(partial, to);
    await rm(from, { force: true });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

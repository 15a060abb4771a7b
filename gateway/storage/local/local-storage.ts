import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileSource } from '../../file-source.ts';
import type { PackageKey, PackageStorage, StoredFile } from '../package-storage.ts';

/** File systems take 255 bytes, and a suffix must find room. */
const MAX_NAME_LENGTH = 180;

/** Packages in a folder: `zips/<project>/<function>/<md5>.zip` and `tars/<sha256>.tar`. */
export class LocalStorage implements PackageStorage {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  putZip(key: PackageKey, source: FileSource): Promise<void> {
    return put(source, this.#zipPath(key));
  }

  openZip(key: PackageKey): Promise<StoredFile | undefined> {
    return openFile(this.#zipPath(key));
  }

  async withZip<T>(key: PackageKey, use: (path: string) => Promise<T>): Promise<T | undefined> {
    const path = this.#zipPath(key);
    const found = await stat(path).catch(ignoreMissing);
    return found === undefined ? undefined : use(path);
  }

  async deleteZip(key: PackageKey): Promise<void> {
    const path = this.#zipPath(key);
    await rm(path, { force: true });
    await rmdir(dirname(path)).catch(() => undefined); // the function's folder, with its last package
  }

  putTar(digest: string, source: FileSource): Promise<void> {
    return put(source, this.#tarPath(digest));
  }

  openTar(digest: string): Promise<StoredFile | undefined> {
    return openFile(this.#tarPath(digest));
  }

  deleteTar(digest: string): Promise<void> {
    return rm(this.#tarPath(digest), { force: true });
  }

  #zipPath({ projectId, functionId, md5 }: PackageKey): string {
    return join(this.#directory, 'zips', folderName(projectId), folderName(functionId), `${folderName(md5)}.zip`);
  }

  #tarPath(digest: string): string {
    return join(tarFolderOf(this.#directory), `${folderName(digest)}.tar`);
  }
}

/** An agent on this machine reads `<sha256>.tar` there by itself. */
export function tarFolderOf(directory: string): string {
  return join(directory, 'tars');
}

/** Any text as one part of a path: no `..`, no slash and not too long, whatever a project is called. */
function folderName(text: string): string {
  const name = encodeURIComponent(text).replaceAll('.', '%2E');
  return name.length <= MAX_NAME_LENGTH ? name : `%_${createHash('sha256').update(text).digest('hex')}`;
}

async function openFile(path: string): Promise<StoredFile | undefined> {
  const file = await open(path, 'r').catch(ignoreMissing);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    return { bytes: size, stream: createReadStream(path, { fd: file, start: 0 }) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What is in memory is small: writing it at once takes less than handing each step to another thread. */
async function put(source: FileSource, to: string): Promise<void> {
  if ('path' in source) return moveTo(source.path, to);
  const partial = `${to}.${randomUUID()}.partial`;
  try {
    writeNew(partial, source.content);
    renameSync(partial, to);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

function writeNew(path: string, content: Buffer): void {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
  }
}

/** A rename, so that the file appears as a whole; over file systems by way of a copy beside the target. */
async function moveTo(from: string, to: string): Promise<void> {
  try {
    await renameInto(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const partial = `${to}.${randomUUID()}.partial`;
    try {
      await copyFile(from, partial);
      await renameInto(partial, to);
    } finally {
      await rm(partial, { force: true });
    }
    await rm(from, { force: true });
  }
}

async function renameInto(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await rename(from, to);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

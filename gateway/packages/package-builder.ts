import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { QinlingError } from '../errors.ts';
import type { FileSource } from '../file-source.ts';
import { shorten, type ArchiveEntry, type ArchiveLimits } from './entry-check.ts';
import { packageRefused } from './package-error.ts';
import { rootOf } from './package-root.ts';
import { TarWriter } from './tar-writer.ts';
import { ZipArchive } from './zip-archive.ts';

export interface BuiltPackage {
  /** The tar; where it is a file, the caller's to move or remove. */
  readonly source: FileSource;
  /** sha256 of the tar, hex. */
  readonly digest: string;
}

/** Makes the tar that agents fetch from an uploaded zip, checking all of it on the way. */
export class PackageBuilder {
  readonly #directory: string;
  readonly #limits: ArchiveLimits;

  /** `directory`: an existing folder for tars under way. */
  constructor(directory: string, limits: ArchiveLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /**
   * The tar of the zip, rooted where the module of `entry` is (see `rootOf`): the same bytes, so the same
   * digest, for the same zip and root. Throws INVALID_INPUT, with what is wrong with the zip; nothing is left on disk
   * then. Holds a few hundred KiB of a package at a time.
   */
  async build(zip: FileSource, entry: string): Promise<BuiltPackage> {
    const archive = await ZipArchive.open(zip, this.#limits);
    try {
      return await this.#write(archive, rootOf(pathsOf(archive), entry));
    } finally {
      await archive.close();
    }
  }

  async #write(archive: ZipArchive, root: string): Promise<BuiltPackage> {
    const tar = new TarWriter(join(this.#directory, `${randomUUID()}.tar`));
    try {
      await writeEntries(archive, root, tar);
      const { source, sha256 } = await tar.finish();
      return { source, digest: sha256 };
    } catch (error) {
      await tar.abandon();
      throw error;
    }
  }
}

function* pathsOf(archive: ZipArchive): Iterable<string> {
  for (const { path, isDirectory } of archive.entries) yield isDirectory ? `${path}/` : path;
}

async function writeEntries(archive: ZipArchive, root: string, tar: TarWriter): Promise<void> {
  for (const entry of archive.entries) {
    if (!entry.path.startsWith(root)) continue;
    const path = entry.path.slice(root.length);
    if (entry.isDirectory) await tar.addDirectory(path);
    else await tar.addFile(path, entry.isExecutable, entry.bytes, contentsOf(archive, entry));
  }
}

async function* contentsOf(archive: ZipArchive, entry: ArchiveEntry): AsyncIterable<Buffer> {
  let sum = 0;
  let bytes = 0;
  try {
    for await (const chunk of await archive.read(entry)) {
      bytes += chunk.length;
      if (bytes > entry.bytes) throw new Error('more bytes than declared');
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof QinlingError || isSystem(cause)) throw cause;
    throw packageRefused(`${shorten(entry.path)} is damaged.`, cause);
  }
  if (sum !== entry.crc32 || bytes !== entry.bytes) throw packageRefused(`${shorten(entry.path)} is damaged.`);
}

function isSystem(cause: unknown): boolean {
  return typeof (cause as NodeJS.ErrnoException | undefined)?.syscall === 'string';
}

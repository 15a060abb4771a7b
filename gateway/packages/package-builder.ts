import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { QinlingError } from '../errors.ts';
import { packageRefused } from './package-error.ts';
import { TarWriter } from './tar-writer.ts';
import { ZipArchive, shorten, type ArchiveEntry, type ArchiveLimits } from './zip-archive.ts';

export interface BuiltPackage {
  /** A new file, the caller's to move or remove. */
  readonly path: string;
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

  /** Throws INVALID_INPUT, with what is wrong with the zip; nothing is left on disk then. */
  async build(zipPath: string, entry: string): Promise<BuiltPackage> {
    const archive = await ZipArchive.open(zipPath, this.#limits);
    const path = join(this.#directory, `${randomUUID()}.tar`);
    const tar = await TarWriter.create(path);
    try {
      await writeEntries(archive, rootOf(archive.entries, entry), tar);
      return { path, digest: await tar.finish() };
    } catch (error) {
      await tar.abandon();
      await rm(path, { force: true });
      throw error;
    } finally {
      archive.close();
    }
  }
}

/**
 * The folder of the archive that becomes the package's root, with its slash, or ''. Where the entry's module is not at
 * the top and exactly one folder holds it, that folder is: archives of `zip -r x.zip ~/dir/*` have `home/user/dir/main.py`.
 */
export function rootOf(entries: readonly Pick<ArchiveEntry, 'path'>[], entry: string): string {
  const [module = ''] = entry.split('.');
  const holders = new Set<string>();
  for (const { path } of entries) {
    const segments = path.split('/');
    segments.forEach((segment, index) => {
      const isLast = index === segments.length - 1;
      const name = isLast ? segment.replace(/\.[^.]+$/, '') : segment;
      if (name === module) holders.add(segments.slice(0, index).join('/'));
    });
  }
  if (holders.has('') || holders.size !== 1) return '';
  return `${[...holders][0]}/`;
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
    for await (const chunk of (await archive.read(entry)) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > entry.bytes) throw new Error('more bytes than declared');
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof QinlingError) throw cause;
    throw new QinlingError('INVALID_INPUT', packageRefused(`${shorten(entry.path)} is damaged.`).message, { cause });
  }
  if (sum !== entry.crc32 || bytes !== entry.bytes) throw packageRefused(`${shorten(entry.path)} is damaged.`);
}

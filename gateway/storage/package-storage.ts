import type { Readable } from 'node:stream';
import type { FileSource } from '../file-source.ts';

/** Names an uploaded zip: the function's project, the function, the md5 of its bytes. */
export interface PackageKey {
  readonly projectId: string;
  readonly functionId: string;
  readonly md5: string;
}

export interface StoredFile {
  readonly bytes: number;
  /** The caller reads it to its end or destroys it. */
  readonly stream: Readable;
}

/**
 * Keeps packages: each upload's bytes as they came, and the tars that agents fetch, by their sha256. A file is there as
 * a whole or not at all, and what was opened can be read to its end also when it is deleted meanwhile. Putting what is
 * there already and deleting what is not are no errors. Calls for one function come one after the other.
 */
export interface PackageStorage {
  /** Takes a file on disk over: it is gone from its place once the promise resolves. */
  putZip(key: PackageKey, source: FileSource): Promise<void>;
  openZip(key: PackageKey): Promise<StoredFile | undefined>;
  /** Gives `use` the zip as a file on this machine, for that long; undefined where there is none. */
  withZip<T>(key: PackageKey, use: (path: string) => Promise<T>): Promise<T | undefined>;
  deleteZip(key: PackageKey): Promise<void>;
  /** Takes a file on disk over, as `putZip`. */
  putTar(digest: string, source: FileSource): Promise<void>;
  openTar(digest: string): Promise<StoredFile | undefined>;
  deleteTar(digest: string): Promise<void>;
}

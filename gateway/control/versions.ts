import { randomUUID } from 'node:crypto';
import type { Access } from '../auth/access.ts';
import { QinlingError, notFound } from '../errors.ts';
import type { StoredFile } from '../storage/package-storage.ts';
import type { Chunks, FunctionRecord, Store, VersionRecord } from '../store/store.ts';
import { md5Of } from './function-code.ts';
import type { FunctionCommons } from './function-commons.ts';
import { functionNotFound } from './functions.ts';
import { listAmong, type Paging } from './lists.ts';

const MAX_VERSIONS = 10;
/** Other processes may publish or change the function between a look at it and the write; each time is looked again. */
const MAX_TRIES = 10;

/** A function's published versions: what they were made of stays until they are deleted, whatever becomes of the function. */
export class Versions {
  readonly #commons: FunctionCommons;

  constructor(commons: FunctionCommons) {
    this.#commons = commons;
  }

  /**
   * Publishes the function as it is, under the next number. Throws NOT_FOUND; NOT_ALLOWED where it is no package, or its
   * package is the newest version's, or there are enough versions.
   */
  create(access: Access, functionId: string, description: string | null): Promise<VersionRecord> {
    const { store, turns } = this.#commons;
    return turns.run(functionId, async () => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const record = await this.#getFunction(access, functionId);
        const digest = checkPublishable(record, await store.versions.list(functionId));
        const version = snapshotOf(record, digest, description);
        if (await store.versions.insert(version)) return version;
      }
      throw new QinlingError('CONFLICT', `Function ${functionId} is being changed.`);
    });
  }

  /** By their numbers. Throws NOT_FOUND. */
  async *list(access: Access, functionId: string, paging: Paging = {}): Chunks<VersionRecord> {
    await this.#getFunction(access, functionId);
    yield* listAmong(await this.#commons.store.versions.list(functionId), paging);
  }

  /** Throws NOT_FOUND. */
  async get(access: Access, functionId: string, versionNumber: number): Promise<VersionRecord> {
    await this.#getFunction(access, functionId);
    const record = await this.#commons.store.versions.get(functionId, versionNumber);
    if (record === undefined) throw versionNotFound(functionId, versionNumber);
    return record;
  }

  /** The bytes that were uploaded. Throws NOT_FOUND where the version or its package is not there. */
  async download(access: Access, functionId: string, versionNumber: number): Promise<StoredFile> {
    const record = await this.get(access, functionId, versionNumber);
    const file = await this.#commons.packages.open(ownerOf(record), record.md5);
    if (file === undefined) throw notFound(`Package of version ${versionNumber} of function ${functionId} not found.`);
    return file;
  }

  /** Throws NOT_FOUND, IN_USE. */
  delete(access: Access, functionId: string, versionNumber: number): Promise<void> {
    const { store, packages, turns, inUse, onChange } = this.#commons;
    return turns.run(functionId, async () => {
      const record = await this.get(access, functionId, versionNumber);
      await inUse.refuseVersionDelete(functionId, versionNumber);
      await store.versions.delete(functionId, versionNumber);
      onChange(functionId, versionNumber, true);
      await packages.removeUploadIfUnused(ownerOf(record), record.md5);
      await packages.removeTarIfUnused(record.packageDigest);
    });
  }

  async #getFunction(access: Access, functionId: string): Promise<FunctionRecord> {
    const record = await this.#commons.store.functions.get(functionId, access.scope);
    if (record === undefined) throw functionNotFound(functionId);
    return record;
  }
}

/** Throws NOT_FOUND for a function that the caller does not see, and for a version that is not there; 0 always is. */
export async function checkVersion(store: Store, { scope }: Access, functionId: string, version: number) {
  if ((await store.functions.get(functionId, scope)) === undefined) throw functionNotFound(functionId);
  if (version === 0 || (await store.versions.get(functionId, version)) !== undefined) return;
  throw versionNotFound(functionId, version);
}

export function versionNotFound(functionId: string, versionNumber: number): QinlingError {
  return notFound(`FunctionVersion not found [function_id=${functionId}, version_number=${versionNumber}]`);
}

/** The digest of the package that is to be published. Throws NOT_ALLOWED. */
function checkPublishable({ code, packageDigest }: FunctionRecord, versions: readonly VersionRecord[]): string {
  if (code.source !== 'package' || packageDigest === null) {
    throw notAllowed('Function versioning only allowed for package type function.');
  }
  if (versions.length >= MAX_VERSIONS) {
    throw notAllowed(`Can not exceed maximum number(${MAX_VERSIONS}) of versions`);
  }
  const newest = versions.at(-1);
  if (newest?.md5 === md5Of(code)) {
    throw notAllowed(`Function package not changed since the latest version ${newest.versionNumber}.`);
  }
  return packageDigest;
}

function snapshotOf(record: FunctionRecord, packageDigest: string, description: string | null): VersionRecord {
  return {
    id: randomUUID(),
    functionId: record.id,
    projectId: record.projectId,
    versionNumber: record.latestVersion + 1,
    description,
    md5: md5Of(record.code),
    packageDigest,
    entry: record.entry,
    cpuMillicores: record.cpuMillicores,
    memoryBytes: record.memoryBytes,
    timeoutSeconds: record.timeoutSeconds,
    count: 0,
    createdAt: Date.now(),
    updatedAt: null,
  };
}

/** Whose the files are: the function's, of which versions are a part. */
function ownerOf({ functionId, projectId }: VersionRecord): { id: string; projectId: string } {
  return { id: functionId, projectId };
}

function notAllowed(message: string): QinlingError {
  return new QinlingError('NOT_ALLOWED', message);
}

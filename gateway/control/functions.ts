import { randomUUID } from 'node:crypto';
import { isInScope, type Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { StoredFile } from '../storage/package-storage.ts';
import type { RetryPolicy } from '../store/attempts.ts';
import { RuntimeStatus, type Chunks, type FunctionRecord, type VersionRecord } from '../store/store.ts';
import { md5Of, readCode, refuseUnsupported, toObject, withMd5 } from './function-code.ts';
import type { FunctionCommons } from './function-commons.ts';
import { parseLimit, type ResourceLimits } from './function-limits.ts';
import type { Upload } from './function-packages.ts';
import { listRecords, type ListRequest } from './lists.ts';
import { notAvailableForFunctions, type Runtimes } from './runtimes.ts';

export const DEFAULT_ENTRY = 'main.main';

/** What a caller gives of a function; undefined where it was not given. Values are not checked yet, but texts are texts. */
export interface FunctionRequest {
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly runtimeId: string | undefined;
  readonly code: unknown;
  readonly entry: string | undefined;
  readonly cpu: unknown;
  readonly memorySize: unknown;
  readonly timeout: unknown;
  /** Checked; null takes it away. */
  readonly retry?: RetryPolicy | null | undefined;
  readonly md5: string | undefined;
  readonly upload: Upload | undefined;
}

type Change = Partial<Omit<FunctionRecord, 'id' | 'count'>>;
type Draft = { -readonly [Key in keyof Change]: Change[Key] };

/** Changes after which a worker that holds the function is out of date; the others reach it with the next call. */
const NEEDS_FRESH_WORKERS = ['entry', 'cpuMillicores', 'memoryBytes', 'packageDigest', 'code'] as const;

/** A function's life with its package. Changes of one function take turns: its record and its files belong together. */
export class Functions {
  readonly #commons: FunctionCommons;
  readonly #runtimes: Runtimes;
  readonly #limits: ResourceLimits;
  readonly #runsImages: boolean;

  constructor(commons: FunctionCommons, runtimes: Runtimes, limits: ResourceLimits, runsImages = false) {
    this.#commons = commons;
    this.#runtimes = runtimes;
    this.#limits = limits;
    this.#runsImages = runsImages;
  }

  /** Throws INVALID_INPUT; NOT_FOUND for a runtime that the caller does not see. */
  async create(access: Access, request: FunctionRequest): Promise<FunctionRecord> {
    if (request.code === undefined) throw invalidInput("Required param is missing. Required: {'code'}");
    const code = readCode(request.code, request.upload !== undefined);
    const limits = this.#limits;
    const timeoutSeconds = parseLimit('timeout', request.timeout ?? limits.timeout.usual, limits);
    const cpuMillicores = parseLimit('cpu', request.cpu ?? limits.cpu.usual, limits);
    const memoryBytes = parseLimit('memory', request.memorySize ?? limits.memory.usual, limits);
    refuseUnsupported(code, this.#runsImages);
    const owner = { id: randomUUID(), projectId: access.projectId };
    const common = {
      ...owner,
      name: request.name ?? null,
      description: request.description ?? null,
      cpuMillicores,
      memoryBytes,
      timeoutSeconds,
      retry: request.retry ?? null,
      count: 0,
      latestVersion: 0,
      updatedAt: null,
    };
    if (code.source === 'image') {
      const runtimeId = request.runtimeId === undefined ? null : this.#checkRuntime(access, request.runtimeId);
      const ofImage = { runtimeId, code, packageDigest: null, entry: null, createdAt: Date.now() };
      return this.#insert({ ...common, ...ofImage });
    }
    const runtimeId = this.#checkRuntime(access, request.runtimeId);
    const { upload } = request;
    if (upload === undefined) throw invalidInput('The file part package is missing.');
    checkMd5(request.md5 ?? code['md5sum'], upload);
    const entry = request.entry ?? DEFAULT_ENTRY;
    const codeDocument = withMd5(code, upload.md5);
    return this.#commons.packages.add(owner, upload, entry, async (packageDigest) => {
      this.#checkRuntime(access, runtimeId); // it may have been deleted while the package was read
      return this.#insert({ ...common, runtimeId, code: codeDocument, packageDigest, entry, createdAt: Date.now() });
    });
  }

  /** Throws NOT_FOUND, also for another project's function. */
  async get(access: Access, id: string): Promise<FunctionRecord> {
    const record = await this.#commons.store.functions.get(id, access.scope);
    if (record === undefined) throw functionNotFound(id);
    return record;
  }

  /** The functions in scope that the filters let through, oldest first. */
  list(access: Access, request: ListRequest): Chunks<FunctionRecord> {
    return listRecords(this.#commons.store.functions, access.scope, request);
  }

  /** The uploaded bytes. Throws NOT_FOUND where the function or its package is not there; METHOD_NOT_ALLOWED for an image. */
  async download(access: Access, id: string): Promise<StoredFile> {
    const record = await this.get(access, id);
    if (record.code.source === 'image') {
      throw new QinlingError('METHOD_NOT_ALLOWED', 'Download image function is not allowed.');
    }
    const file = await this.#commons.packages.open(record, md5Of(record.code));
    if (file === undefined) throw notFound(`Package of function ${id} not found.`);
    return file;
  }

  /** Throws NOT_FOUND, INVALID_INPUT, IN_USE. What is undefined in the request stays as it is. */
  update(access: Access, id: string, request: FunctionRequest): Promise<FunctionRecord> {
    return this.#commons.turns.run(id, async () => {
      const record = await this.get(access, id);
      const change = this.#readChange(request);
      if (changesCode(request)) await this.#commons.inUse.refuseCodeChange(id);
      checkCodeChange(record, request);
      const changed = await this.#write(record, request, change);
      if (changed === undefined) return record;
      const isFresh = NEEDS_FRESH_WORKERS.some((name) => name in change);
      this.#commons.onChange(id, 0, isFresh);
      if (change.retry !== undefined) await this.#tellVersions(id); // they run by the function's policy
      await this.#removeReplaced(record, changed);
      return changed;
    });
  }

  /** With its versions. Throws NOT_FOUND; NOT_ALLOWED for an administrator who does not own it; IN_USE. */
  delete(access: Access, id: string): Promise<void> {
    const { store, turns, inUse, onChange } = this.#commons;
    return turns.run(id, async () => {
      const record = await this.get(access.isAdmin ? { ...access, scope: null } : access, id);
      if (!isInScope(access, record.projectId)) {
        throw new QinlingError('NOT_ALLOWED', 'Function can only be deleted by its owner.');
      }
      await inUse.refuseFunctionDelete(id);
      const versions = await store.versions.list(id);
      // in one transaction: a finished job goes with its function
      await Promise.all([store.functions.delete(id), store.jobs.deleteFinished(id)]);
      onChange(id, 0, true);
      for (const { versionNumber } of versions) onChange(id, versionNumber, true);
      await this.#removePackages(record, versions);
    });
  }

  async #insert(record: FunctionRecord): Promise<FunctionRecord> {
    await this.#commons.store.functions.insert(record);
    return record;
  }

  async #tellVersions(id: string): Promise<void> {
    for (const { versionNumber } of await this.#commons.store.versions.list(id)) {
      this.#commons.onChange(id, versionNumber, false);
    }
  }

  #checkRuntime(access: Access, runtimeId: string | undefined): string {
    if (runtimeId === undefined) throw invalidInput('"runtime_id" must be specified.');
    const runtime = this.#runtimes.get(access, runtimeId);
    if (runtime.status !== RuntimeStatus.Available) throw notAvailableForFunctions(runtimeId);
    return runtimeId;
  }

  #readChange(request: FunctionRequest): Draft {
    const limits = this.#limits;
    const change: Draft = {};
    if (request.name !== undefined) change.name = request.name;
    if (request.description !== undefined) change.description = request.description;
    if (request.timeout !== undefined) change.timeoutSeconds = parseLimit('timeout', request.timeout, limits);
    if (request.retry !== undefined) change.retry = request.retry;
    if (request.cpu !== undefined) change.cpuMillicores = parseLimit('cpu', request.cpu, limits);
    if (request.memorySize !== undefined) change.memoryBytes = parseLimit('memory', request.memorySize, limits);
    if (request.entry !== undefined) change.entry = request.entry;
    return change;
  }

  /**
   * Writes the change with the package that belongs to it: a new upload, or the stored one anew, because another entry
   * may make another folder its root. Adds to `change` what it writes; undefined where there is nothing to write.
   */
  async #write(record: FunctionRecord, request: FunctionRequest, change: Draft): Promise<FunctionRecord | undefined> {
    const entry = request.entry ?? record.entry ?? DEFAULT_ENTRY;
    const { upload } = request;
    const storedMd5 = md5Of(record.code);
    const write = async (packageDigest: string) => {
      change.packageDigest = packageDigest;
      return this.#update(record.id, change);
    };
    if (upload !== undefined && upload.md5 !== storedMd5) {
      change.code = withMd5(record.code, upload.md5);
      return this.#commons.packages.add(record, upload, entry, write);
    }
    const isOtherEntry = request.entry !== undefined && request.entry !== record.entry;
    const rebuilt = isOtherEntry ? await this.#commons.packages.rebuild(record, storedMd5, entry, write) : undefined;
    if (rebuilt !== undefined) return rebuilt;
    return Object.keys(change).length === 0 ? undefined : this.#update(record.id, change);
  }

  async #update(id: string, change: Change): Promise<FunctionRecord> {
    const changed = await this.#commons.store.functions.update(id, change);
    if (changed === undefined) throw functionNotFound(id);
    return changed;
  }

  async #removeReplaced(before: FunctionRecord, after: FunctionRecord): Promise<void> {
    const { packages } = this.#commons;
    if (md5Of(before.code) !== md5Of(after.code)) await packages.removeUploadIfUnused(before, md5Of(before.code));
    const { packageDigest } = before;
    if (packageDigest !== null && packageDigest !== after.packageDigest) {
      await packages.removeTarIfUnused(packageDigest);
    }
  }

  /** The files of a function that is gone with its versions. */
  async #removePackages(record: FunctionRecord, versions: readonly VersionRecord[]): Promise<void> {
    if (record.packageDigest === null) return;
    const { packages } = this.#commons;
    const md5s = new Set([md5Of(record.code), ...versions.map(({ md5 }) => md5)]);
    const digests = new Set([record.packageDigest, ...versions.map(({ packageDigest }) => packageDigest)]);
    for (const md5 of md5s) await packages.removeUploadIfUnused(record, md5);
    for (const digest of digests) if (digest !== null) await packages.removeTarIfUnused(digest);
  }
}

export function functionNotFound(id: string): QinlingError {
  return notFound(`Function not found [id=${id}]`);
}

function isMd5(claimed: unknown, md5: string): boolean {
  return typeof claimed === 'string' && claimed.toLowerCase() === md5;
}

function checkMd5(claimed: unknown, upload: Upload): void {
  if (claimed !== undefined && claimed !== null && !isMd5(claimed, upload.md5)) {
    throw invalidInput('Package md5 mismatch.');
  }
}

/** True where more than its name, description and timeout is to change: what a run of it depends on. */
function changesCode({ upload, entry, cpu, memorySize }: FunctionRequest): boolean {
  return [upload, entry, cpu, memorySize].some((value) => value !== undefined);
}

function checkCodeChange(record: FunctionRecord, request: FunctionRequest): void {
  const code = request.code === undefined ? undefined : toObject(request.code);
  const source = code?.['source'] ?? undefined;
  if (source !== undefined && source !== record.code.source) {
    throw invalidInput('The function code type can not be changed.');
  }
  if (record.code.source === 'image' && (code !== undefined || changesCode(request))) {
    throw invalidInput('The image type function code can not be changed.');
  }
  if (request.upload === undefined) return;
  const claimed = request.md5 ?? code?.['md5sum'];
  if (isMd5(claimed, md5Of(record.code))) throw invalidInput('The function code checksum is not changed.');
  checkMd5(claimed, request.upload);
}

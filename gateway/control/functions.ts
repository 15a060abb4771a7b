import { randomUUID } from 'node:crypto';
import { isInScope, type Access } from '../auth/access.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { PackageBuilder } from '../packages/package-builder.ts';
import type { PackageStorage, StoredFile } from '../storage/package-storage.ts';
import { RuntimeStatus, type Chunks, type CodeDocument, type FunctionRecord, type Store } from '../store/store.ts';
import { readCode, refuseUnsupported, toObject, withMd5 } from './function-code.ts';
import { parseLimit, type ResourceLimits } from './function-limits.ts';
import { FunctionPackages, type Upload } from './function-packages.ts';
import { listRecords, type ListRequest } from './lists.ts';
import { notAvailableForFunctions, type Runtimes } from './runtimes.ts';
import { Turns } from './turns.ts';

const DEFAULT_ENTRY = 'main.main';

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
  readonly md5: string | undefined;
  readonly upload: Upload | undefined;
}

export interface FunctionsOptions {
  readonly limits: ResourceLimits;
  readonly onFault: (cause: unknown, message: string) => void;
  /** The function changed so that its workers are out of date, or is gone. */
  readonly onChange: (functionId: string, needsFreshWorkers: boolean) => void;
}

type Change = Partial<Omit<FunctionRecord, 'id' | 'count'>>;
type Draft = { -readonly [Key in keyof Change]: Change[Key] };

/** Changes after which a worker that holds the function is out of date; the others reach it with the next call. */
const NEEDS_FRESH_WORKERS = ['entry', 'cpuMillicores', 'memoryBytes', 'packageDigest', 'code'] as const;

/** A function's life with its package. Changes of one function take turns: its record and its files belong together. */
export class Functions {
  readonly #store: Store;
  readonly #runtimes: Runtimes;
  readonly #options: FunctionsOptions;
  readonly #packages: FunctionPackages;
  readonly #turns = new Turns();

  constructor(
    store: Store,
    storage: PackageStorage,
    builder: PackageBuilder,
    runtimes: Runtimes,
    options: FunctionsOptions,
  ) {
    this.#store = store;
    this.#runtimes = runtimes;
    this.#options = options;
    this.#packages = new FunctionPackages(storage, builder, store.functions, options.onFault);
  }

  /** Throws INVALID_INPUT; NOT_FOUND for a runtime that the caller does not see. */
  async create(access: Access, request: FunctionRequest): Promise<FunctionRecord> {
    if (request.code === undefined) throw invalidInput("Required param is missing. Required: {'code'}");
    const code = readCode(request.code, request.upload !== undefined);
    const { limits } = this.#options;
    const timeoutSeconds = parseLimit('timeout', request.timeout ?? limits.timeout.usual, limits);
    const cpuMillicores = parseLimit('cpu', request.cpu ?? limits.cpu.usual, limits);
    const memoryBytes = parseLimit('memory', request.memorySize ?? limits.memory.usual, limits);
    refuseUnsupported(code);
    const runtimeId = this.#checkRuntime(access, request.runtimeId);
    const { upload } = request;
    if (upload === undefined) throw invalidInput('The file part package is missing.');
    checkMd5(request.md5 ?? code['md5sum'], upload);
    const owner = { id: randomUUID(), projectId: access.projectId };
    const entry = request.entry ?? DEFAULT_ENTRY;
    const codeDocument = withMd5(code, upload.md5);
    return this.#packages.add(owner, upload, entry, async (packageDigest) => {
      this.#checkRuntime(access, runtimeId); // it may have been deleted while the package was read
      const record: FunctionRecord = {
        id: owner.id,
        projectId: owner.projectId,
        name: request.name ?? null,
        description: request.description ?? null,
        runtimeId,
        code: codeDocument,
        packageDigest,
        entry,
        cpuMillicores,
        memoryBytes,
        timeoutSeconds,
        count: 0,
        latestVersion: 0,
        createdAt: Date.now(),
        updatedAt: null,
      };
      await this.#store.functions.insert(record);
      return record;
    });
  }

  /** Throws NOT_FOUND, also for another project's function. */
  async get(access: Access, id: string): Promise<FunctionRecord> {
    const record = await this.#store.functions.get(id, access.scope);
    if (record === undefined) throw functionNotFound(id);
    return record;
  }

  /** For the road of a call, which checks the caller itself. */
  async read(id: string): Promise<FunctionRecord> {
    const record = await this.#store.functions.get(id, null);
    if (record === undefined) throw functionNotFound(id);
    return record;
  }

  /** The functions in scope that the filters let through, oldest first. */
  list(access: Access, request: ListRequest): Chunks<FunctionRecord> {
    return listRecords(this.#store.functions, access.scope, request);
  }

  /** The uploaded bytes. Throws NOT_FOUND where the function or its package is not there. */
  async download(access: Access, id: string): Promise<StoredFile> {
    const record = await this.get(access, id);
    const file = await this.#packages.open(record, md5Of(record.code));
    if (file === undefined) throw notFound(`Package of function ${id} not found.`);
    return file;
  }

  /** Throws NOT_FOUND, INVALID_INPUT. What is undefined in the request stays as it is. */
  update(access: Access, id: string, request: FunctionRequest): Promise<FunctionRecord> {
    return this.#turns.run(id, async () => {
      const record = await this.get(access, id);
      const change = this.#readChange(request);
      checkCodeChange(record, request);
      const changed = await this.#write(record, request, change);
      if (changed === undefined) return record;
      const isFresh = NEEDS_FRESH_WORKERS.some((name) => name in change);
      this.#options.onChange(id, isFresh);
      await this.#removeReplaced(record, changed);
      return changed;
    });
  }

  /** Throws NOT_FOUND, and NOT_ALLOWED for an administrator who does not own it. */
  delete(access: Access, id: string): Promise<void> {
    return this.#turns.run(id, async () => {
      const record = await this.get(access.isAdmin ? { ...access, scope: null } : access, id);
      if (!isInScope(access, record.projectId)) {
        throw new QinlingError('NOT_ALLOWED', 'Function can only be deleted by its owner.');
      }
      await this.#store.functions.delete(id);
      this.#options.onChange(id, true);
      await this.#packages.removeUpload(record, md5Of(record.code));
      if (record.packageDigest !== null) await this.#packages.removeTarIfUnused(record.packageDigest);
    });
  }

  #checkRuntime(access: Access, runtimeId: string | undefined): string {
    if (runtimeId === undefined) throw invalidInput('"runtime_id" must be specified.');
    const runtime = this.#runtimes.get(access, runtimeId);
    if (runtime.status !== RuntimeStatus.Available) throw notAvailableForFunctions(runtimeId);
    return runtimeId;
  }

  #readChange(request: FunctionRequest): Draft {
    const { limits } = this.#options;
    const change: Draft = {};
    if (request.name !== undefined) change.name = request.name;
    if (request.description !== undefined) change.description = request.description;
    if (request.timeout !== undefined) change.timeoutSeconds = parseLimit('timeout', request.timeout, limits);
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
      return this.#packages.add(record, upload, entry, write);
    }
    const isOtherEntry = request.entry !== undefined && request.entry !== record.entry;
    const rebuilt = isOtherEntry ? await this.#packages.rebuild(record, storedMd5, entry, write) : undefined;
    if (rebuilt !== undefined) return rebuilt;
    return Object.keys(change).length === 0 ? undefined : this.#update(record.id, change);
  }

  async #update(id: string, change: Change): Promise<FunctionRecord> {
    const changed = await this.#store.functions.update(id, change);
    if (changed === undefined) throw functionNotFound(id);
    return changed;
  }

  async #removeReplaced(before: FunctionRecord, after: FunctionRecord): Promise<void> {
    if (md5Of(before.code) !== md5Of(after.code)) await this.#packages.removeUpload(before, md5Of(before.code));
    const { packageDigest } = before;
    if (packageDigest !== null && packageDigest !== after.packageDigest) {
      await this.#packages.removeTarIfUnused(packageDigest);
    }
  }
}

export function functionNotFound(id: string): QinlingError {
  return notFound(`Function not found [id=${id}]`);
}

function md5Of(code: CodeDocument): string {
  return String(code['md5sum']);
}

function isMd5(claimed: unknown, md5: string): boolean {
  return typeof claimed === 'string' && claimed.toLowerCase() === md5;
}

function checkMd5(claimed: unknown, upload: Upload): void {
  if (claimed !== undefined && claimed !== null && !isMd5(claimed, upload.md5)) {
    throw invalidInput('Package md5 mismatch.');
  }
}

function checkCodeChange(record: FunctionRecord, request: FunctionRequest): void {
  const code = request.code === undefined ? undefined : toObject(request.code);
  const source = code?.['source'] ?? undefined;
  if (source !== undefined && source !== record.code.source) {
    throw invalidInput('The function code type can not be changed.');
  }
  if (request.upload === undefined) return;
  const claimed = request.md5 ?? code?.['md5sum'];
  if (isMd5(claimed, md5Of(record.code))) throw invalidInput('The function code checksum is not changed.');
  checkMd5(claimed, request.upload);
}

import { randomUUID } from 'node:crypto';
import type { Caller } from '../auth/caller.ts';
import { QinlingError, invalidInput, notFound } from '../errors.ts';
import type { PackageBuilder } from '../packages/package-builder.ts';
import type { PackageStorage, StoredFile } from '../storage/package-storage.ts';
import { RuntimeStatus, type CodeDocument, type Filter, type FunctionRecord, type Store } from '../store/store.ts';
import { readCode, refuseUnsupported, toObject } from './function-code.ts';
import { parseLimit, type ResourceLimits } from './function-limits.ts';
import { notAvailableForFunctions, type Runtimes } from './runtimes.ts';

const LIST_PAGE = 500;
const DEFAULT_ENTRY = 'main.main';

/** A package as it was uploaded. */
export interface Upload {
  readonly path: string;
  readonly md5: string;
}

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

/** A function's life with its package. */
export class Functions {
  readonly #store: Store;
  readonly #storage: PackageStorage;
  readonly #builder: PackageBuilder;
  readonly #runtimes: Runtimes;
  readonly #options: FunctionsOptions;

  constructor(
    store: Store,
    storage: PackageStorage,
    builder: PackageBuilder,
    runtimes: Runtimes,
    options: FunctionsOptions,
  ) {
    this.#store = store;
    this.#storage = storage;
    this.#builder = builder;
    this.#runtimes = runtimes;
    this.#options = options;
  }

  async create(caller: Caller, request: FunctionRequest): Promise<FunctionRecord> {
    if (request.code === undefined) throw invalidInput("Required param is missing. Required: {'code'}");
    const code = readCode(request.code, request.upload !== undefined);
    const { limits } = this.#options;
    const timeoutSeconds = parseLimit('timeout', request.timeout ?? limits.timeout.usual, limits);
    const cpuMillicores = parseLimit('cpu', request.cpu ?? limits.cpu.usual, limits);
    const memoryBytes = parseLimit('memory', request.memorySize ?? limits.memory.usual, limits);
    refuseUnsupported(code);
    const runtimeId = this.#checkRuntime(caller, request.runtimeId);
    const { upload } = request;
    if (upload === undefined) throw invalidInput('The file part package is missing.');
    const entry = request.entry ?? DEFAULT_ENTRY;
    checkMd5(request.md5 ?? code['md5sum'], upload);

    const id = randomUUID();
    const packageDigest = await this.#storePackage({ id, projectId: caller.projectId }, upload, entry);
    const record: FunctionRecord = {
      id,
      projectId: caller.projectId,
      name: request.name ?? null,
      description: request.description ?? null,
      runtimeId,
      code: { ...code, md5sum: upload.md5 },
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
  }

  /** Throws NOT_FOUND, also for another project's function. */
  async get(caller: Caller, id: string): Promise<FunctionRecord> {
    const record = await this.#store.functions.get(id);
    if (record === undefined || !(caller.isAdmin || record.projectId === caller.projectId)) throw functionNotFound(id);
    return record;
  }

  /** For the road of a call, which checks the caller itself. */
  async read(id: string): Promise<FunctionRecord> {
    const record = await this.#store.functions.get(id);
    if (record === undefined) throw functionNotFound(id);
    return record;
  }

  /** Every function that the filters let through, oldest first, page by page. */
  async *list(filters: readonly Filter[]): AsyncIterable<FunctionRecord[]> {
    let after: string | undefined;
    for (;;) {
      const records: FunctionRecord[] = await this.#store.functions.list({ filters, after, limit: LIST_PAGE });
      if (records.length > 0) yield records;
      if (records.length < LIST_PAGE) return;
      after = records.at(-1)!.id;
    }
  }

  /** The uploaded bytes. Throws NOT_FOUND where the function or its package is not there. */
  async download(caller: Caller, id: string): Promise<StoredFile> {
    const record = await this.get(caller, id);
    const file = await this.#storage.openZip(keyOf(record, md5Of(record.code)));
    if (file === undefined) throw notFound(`Package of function ${id} not found.`);
    return file;
  }

  async update(caller: Caller, id: string, request: FunctionRequest): Promise<FunctionRecord> {
    const record = await this.get(caller, id);
    const { limits } = this.#options;
    const change: { -readonly [Key in keyof Change]: Change[Key] } = {};
    if (request.name !== undefined) change.name = request.name;
    if (request.description !== undefined) change.description = request.description;
    if (request.timeout !== undefined) change.timeoutSeconds = parseLimit('timeout', request.timeout, limits);
    if (request.cpu !== undefined) change.cpuMillicores = parseLimit('cpu', request.cpu, limits);
    if (request.memorySize !== undefined) change.memoryBytes = parseLimit('memory', request.memorySize, limits);
    if (request.entry !== undefined) change.entry = request.entry;
    checkCodeChange(record, request);
    await this.#changePackage(record, request, change);
    if (Object.keys(change).length === 0) return record;
    return this.#write(record, change);
  }

  /** Throws NOT_FOUND, and NOT_ALLOWED for whoever does not own it. */
  async delete(caller: Caller, id: string): Promise<void> {
    const record = await this.get(caller, id);
    if (record.projectId !== caller.projectId) {
      throw new QinlingError('NOT_ALLOWED', 'Function can only be deleted by its owner.');
    }
    await this.#store.functions.delete(id);
    this.#options.onChange(id, true);
    await this.#forgetPackage(record, md5Of(record.code), record.packageDigest);
  }

  /** The tar that agents fetch. */
  openTar(digest: string): Promise<StoredFile | undefined> {
    return this.#storage.openTar(digest);
  }

  #checkRuntime(caller: Caller, runtimeId: string | undefined): string {
    if (runtimeId === undefined) throw invalidInput('"runtime_id" must be specified.');
    const runtime = this.#runtimes.get(caller, runtimeId);
    if (runtime.status !== RuntimeStatus.Available) throw notAvailableForFunctions(runtimeId);
    return runtimeId;
  }

  /** Checks the upload, stores its bytes and its tar; resolves with the tar's digest. */
  async #storePackage(owner: { id: string; projectId: string }, upload: Upload, entry: string): Promise<string> {
    const { path, digest } = await this.#builder.build(upload.path, entry);
    await this.#storage.putTar(digest, path);
    await this.#storage.putZip(keyOf(owner, upload.md5), upload.path);
    return digest;
  }

  /** A new upload, or the stored one anew because another entry may make another folder the root. */
  async #changePackage(
    record: FunctionRecord,
    request: FunctionRequest,
    change: { -readonly [Key in keyof Change]: Change[Key] },
  ): Promise<void> {
    const entry = request.entry ?? record.entry ?? DEFAULT_ENTRY;
    const { upload } = request;
    if (upload !== undefined && upload.md5 !== md5Of(record.code)) {
      change.packageDigest = await this.#storePackage(record, upload, entry);
      change.code = { ...record.code, md5sum: upload.md5 };
    } else if (request.entry !== undefined && request.entry !== record.entry) {
      const digest = await this.#storage.withZip(keyOf(record, md5Of(record.code)), async (zipPath) => {
        const built = await this.#builder.build(zipPath, entry);
        await this.#storage.putTar(built.digest, built.path);
        return built.digest;
      });
      if (digest !== undefined) change.packageDigest = digest;
    }
  }

  async #write(record: FunctionRecord, change: Change): Promise<FunctionRecord> {
    const changed = await this.#store.functions.update(record.id, change);
    if (changed === undefined) throw functionNotFound(record.id);
    const isFresh = ['entry', 'cpuMillicores', 'memoryBytes', 'packageDigest', 'code'].some((name) => name in change);
    this.#options.onChange(record.id, isFresh);
    const oldMd5 = md5Of(record.code) === md5Of(changed.code) ? undefined : md5Of(record.code);
    const oldDigest = record.packageDigest === changed.packageDigest ? null : record.packageDigest;
    await this.#forgetPackage(record, oldMd5, oldDigest);
    return changed;
  }

  /** Files that no record names any more. Failing leaves a file too many, which is no caller's concern. */
  async #forgetPackage(record: FunctionRecord, md5: string | undefined, digest: string | null): Promise<void> {
    try {
      if (md5 !== undefined) await this.#storage.deleteZip(keyOf(record, md5));
      if (digest !== null && !(await this.#store.functions.hasPackageDigest(digest)))
        await this.#storage.deleteTar(digest);
    } catch (cause) {
      this.#options.onFault(cause, `the package of function ${record.id} was not removed`);
    }
  }
}

export function functionNotFound(id: string): QinlingError {
  return notFound(`Function not found [id=${id}]`);
}

function keyOf({ id, projectId }: { id: string; projectId: string }, md5: string) {
  return { projectId, functionId: id, md5 };
}

function md5Of(code: CodeDocument): string {
  return String(code['md5sum']);
}

function checkMd5(claimed: unknown, upload: Upload): void {
  if (claimed !== undefined && claimed !== null && String(claimed).toLowerCase() !== upload.md5) {
    throw invalidInput('Package md5 mismatch.');
  }
}

function checkCodeChange(record: FunctionRecord, request: FunctionRequest): void {
  const code = request.code === undefined ? undefined : toObject(request.code);
  const source = code?.['source'];
  if (source !== undefined && source !== record.code.source) {
    throw invalidInput('The function code type can not be changed.');
  }
  if (request.upload === undefined) return;
  const claimed = request.md5 ?? code?.['md5sum'];
  if (claimed !== undefined && claimed !== null && String(claimed).toLowerCase() === md5Of(record.code)) {
    throw invalidInput('The function code checksum is not changed.');
  }
  checkMd5(claimed, request.upload);
}

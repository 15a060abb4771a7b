import { QinlingError, invalidInput } from '../errors.ts';
import { makeTarget, type Target } from '../invoke/target.ts';
import type { TargetSource } from '../invoke/targets.ts';
import { RuntimeStatus, type FunctionRecord, type Store, type VersionRecord } from '../store/store.ts';
import { imageOf, imagesNotSupported } from './function-code.ts';
import { DEFAULT_ENTRY, functionNotFound } from './functions.ts';
import { notAvailable, type Runtimes } from './runtimes.ts';
import { versionNotFound } from './versions.ts';

/** The fields of a function or version that a target is made of. */
type Runnable = Pick<
  FunctionRecord | VersionRecord,
  'packageDigest' | 'entry' | 'cpuMillicores' | 'memoryBytes' | 'timeoutSeconds'
>;

/** Of image functions. */
const NO_PACKAGE = { runtimeId: '', poolName: '', packageDigest: '', entry: '' };

/** Targets from the records: the function's for version 0, else a version's snapshot, on the function's runtime. */
export class RecordedTargets implements TargetSource {
  readonly #store: Store;
  readonly #runtimes: Runtimes;
  readonly #runsImages: boolean;

  constructor(store: Store, runtimes: Runtimes, runsImages = false) {
    this.#store = store;
    this.#runtimes = runtimes;
    this.#runsImages = runsImages;
  }

  async read(functionId: string, version: number): Promise<Target> {
    const record = await this.#store.functions.get(functionId, null);
    if (record === undefined) throw functionNotFound(functionId);
    return this.#toTarget(record, version, version === 0 ? record : await this.#readVersion(record, version));
  }

  whyNotRunnable({ runtimeId, image }: Target): QinlingError | undefined {
    if (image !== null) return this.#runsImages ? undefined : imagesNotSupported();
    const isAvailable = this.#runtimes.find(runtimeId)?.status === RuntimeStatus.Available;
    return isAvailable ? undefined : notAvailable(runtimeId);
  }

  async #readVersion({ id, code }: FunctionRecord, version: number): Promise<VersionRecord> {
    if (code.source !== 'package') throw invalidInput(`Can not specify version for ${code.source} type function.`);
    const record = await this.#store.versions.get(id, version);
    if (record === undefined) throw versionNotFound(id, version);
    return record;
  }

  #toTarget(record: FunctionRecord, version: number, runnable: Runnable): Target {
    const { id, projectId, runtimeId, code, retry } = record;
    const { packageDigest, entry, cpuMillicores, memoryBytes, timeoutSeconds } = runnable;
    const timeoutMs = timeoutSeconds * 1000;
    const common = { functionId: id, version, projectId, cpuMillicores, memoryBytes, timeoutMs, retry };
    if (code.source === 'image') return makeTarget({ ...common, ...NO_PACKAGE, image: imageOf(code) });
    const runtime = runtimeId === null ? undefined : this.#runtimes.find(runtimeId);
    if (runtime === undefined || packageDigest === null) throw invalidInput('The function has no code to run.');
    const poolName = this.#runtimes.poolNameOf(runtime);
    if (poolName === undefined) throw notAvailable(runtime.id);
    const ofPackage = { runtimeId: runtime.id, poolName, packageDigest, entry: entry ?? DEFAULT_ENTRY, image: null };
    return makeTarget({ ...common, ...ofPackage });
  }
}

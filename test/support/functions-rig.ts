import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANYBODY } from '../../gateway/auth/access.ts';
import { Aliases } from '../../gateway/control/aliases.ts';
import type { FunctionCommons } from '../../gateway/control/function-commons.ts';
import { FunctionPackages, type Upload } from '../../gateway/control/function-packages.ts';
import { Functions, type FunctionRequest } from '../../gateway/control/functions.ts';
import { InUse, aliasHolder, type Holder } from '../../gateway/control/in-use.ts';
import { jobHolder } from '../../gateway/control/jobs.ts';
import { Runtimes } from '../../gateway/control/runtimes.ts';
import { Turns } from '../../gateway/control/turns.ts';
import { Versions } from '../../gateway/control/versions.ts';
import { webhookHolder } from '../../gateway/control/webhooks.ts';
import { PackageBuilder } from '../../gateway/packages/package-builder.ts';
import { LocalStorage } from '../../gateway/storage/local/local-storage.ts';
import { FakeOrchestrator } from './fake-orchestrator.ts';
import { emptyFolder } from './folder.ts';
import { openThrowAwayStore } from './throw-away-store.ts';
import { zipOf } from './zip.ts';

/** Whoever runs what is registered when it is over: a test, or a suite with its `after`. */
interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

export const LIMITS = {
  cpu: { usual: 100, least: 100, most: 300 },
  memory: { usual: 33_554_432, least: 33_554_432, most: 134_217_728 },
  timeout: { usual: 5, least: 1, most: 300 },
};

const NOTHING: FunctionRequest = {
  name: undefined,
  description: undefined,
  runtimeId: undefined,
  code: undefined,
  entry: undefined,
  cpu: undefined,
  memorySize: undefined,
  timeout: undefined,
  md5: undefined,
  upload: undefined,
};

export function request(fields: Partial<FunctionRequest>): FunctionRequest {
  return { ...NOTHING, ...fields };
}

export type FunctionsRig = Awaited<ReturnType<typeof openFunctionsRig>>;

/** Who is told what the services tell, beside the rig itself. */
export interface FunctionsRigListener {
  readonly onChange?: FunctionCommons['onChange'];
  readonly onMoved?: (projectId: string, name: string) => void;
}

/** Real runtimes, functions, versions and aliases over a real store and storage; the pools are there at once. */
export async function openFunctionsRig(cleaner: Cleaner, listener: FunctionsRigListener = {}) {
  const folder = emptyFolder(cleaner);
  const uploads = join(folder, 'uploads');
  const packages = join(folder, 'packages');
  mkdirSync(uploads);
  const store = await openThrowAwayStore(cleaner);
  const orchestrator = new FakeOrchestrator();
  orchestrator.isWilling = true;
  const faults: unknown[] = [];
  const onFault = (cause: unknown) => void faults.push(cause);
  const usage = { capacity: () => ({ total: 3, available: 2 }), hasBoundWorkers: () => false };
  const runtimes = new Runtimes(store, orchestrator, usage, { timeoutMs: 60_000, onFault });
  const { id: runtimeId } = await runtimes.create(ANYBODY, {
    name: 'python',
    image: 'python',
    description: null,
    isPublic: true,
    isTrusted: true,
  });
  while (runtimes.find(runtimeId)?.status !== 'available') await new Promise(setImmediate);

  const storage = new LocalStorage(packages);
  const builder = new PackageBuilder(uploads, { maxUnpackedBytes: 1_000_000, maxEntries: 100 });
  /** Functions (and versions, as `id/number`) that changed, with `!` where their workers are out of date. */
  const changes: string[] = [];
  /** As in the product; a test puts in what else it needs. */
  const holders: Holder[] = [jobHolder(store.jobs), webhookHolder(store.webhooks), aliasHolder(store.aliases)];
  const commons: FunctionCommons = {
    store,
    packages: new FunctionPackages(storage, builder, store, onFault),
    turns: new Turns(),
    inUse: new InUse(holders),
    onChange: (id, version, needsFreshWorkers) => {
      changes.push(`${id}${version === 0 ? '' : `/${version}`}${needsFreshWorkers ? '!' : ''}`);
      listener.onChange?.(id, version, needsFreshWorkers);
    },
  };
  const functions = new Functions(commons, runtimes, LIMITS);
  const versions = new Versions(commons);
  /** Aliases that were moved or deleted, as `project/name`. */
  const moved: string[] = [];
  const aliases = new Aliases(commons, (projectId, name) => {
    moved.push(`${projectId}/${name}`);
    listener.onMoved?.(projectId, name);
  });
  let uploadCount = 0;
  const upload = (content: string | Readonly<Record<string, string>>): Upload => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : zipOf(content);
    const path = join(uploads, `upload${uploadCount++}`);
    writeFileSync(path, bytes);
    return { source: { path }, md5: createHash('md5').update(bytes).digest('hex') };
  };
  /** A function of one file, `main.py`. */
  const create = (content = 'def main(): pass', fields: Partial<FunctionRequest> = {}, caller = ANYBODY) =>
    functions.create(
      caller,
      request({ runtimeId, code: { source: 'package' }, upload: upload({ 'main.py': content }), ...fields }),
    );
  /** All files but uploads that nobody took over (whoever received them removes those), by their paths. */
  const files = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name).slice(folder.length + 1))
      .filter((path) => !path.startsWith('uploads/upload'))
      .sort();
  return {
    folder,
    store,
    storage,
    runtimes,
    runtimeId,
    commons,
    functions,
    versions,
    aliases,
    holders,
    moved,
    orchestrator,
    upload,
    create,
    changes,
    faults,
    files,
  };
}

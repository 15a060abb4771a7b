import { randomUUID } from 'node:crypto';
import { ExecutionIds } from '../../gateway/execution-id.ts';
import { JobStatus, type JobRecord } from '../../gateway/store/job-store.ts';
import {
  ExecutionStatus,
  RuntimeStatus,
  type AliasRecord,
  type ExecutionLog,
  type ExecutionOutcome,
  type ExecutionRecord,
  type FunctionRecord,
  type RuntimeRecord,
  type VersionRecord,
} from '../../gateway/store/store.ts';
import type { WebhookRecord } from '../../gateway/store/webhook-store.ts';

/** 2024-01-01; records are made one millisecond after each other. */
export const FIRST_DAY_MS = Date.UTC(2024, 0, 1);

const ids = new ExecutionIds();
/** Makers of ids for moments that a test chose: ids of one maker rise also when its clock goes back. */
const idsByMoment = new Map<number, ExecutionIds>();
let nextMs = FIRST_DAY_MS;

/** A runtime with every optional field set; `change` says what the test cares for. */
export function runtimeRecord(change: Partial<RuntimeRecord> = {}): RuntimeRecord {
  return {
    id: randomUUID(),
    projectId: 'default',
    name: 'python',
    image: 'python3',
    description: 'a runtime',
    isPublic: false,
    isTrusted: true,
    status: RuntimeStatus.Available,
    statusReason: null,
    createdAt: nextMs++,
    updatedAt: null,
    ...change,
  };
}

export function functionRecord(change: Partial<FunctionRecord> = {}): FunctionRecord {
  return {
    id: randomUUID(),
    projectId: 'default',
    name: 'hello',
    description: null,
    runtimeId: 'a-runtime',
    code: { source: 'package', md5sum: 'd41d8cd98f00b204e9800998ecf8427e' },
    packageDigest: 'a-digest',
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 33_554_432,
    timeoutSeconds: 5,
    retry: null,
    count: 0,
    latestVersion: 0,
    createdAt: nextMs++,
    updatedAt: null,
    ...change,
  };
}

/** A running job that runs once. */
export function jobRecord(change: Partial<JobRecord> = {}): JobRecord {
  const createdAt = nextMs++;
  return {
    id: randomUUID(),
    projectId: 'default',
    name: null,
    functionId: 'a-function',
    functionAlias: null,
    functionVersion: 0,
    functionInput: null,
    pattern: null,
    status: JobStatus.Running,
    count: 1,
    firstExecutionAt: createdAt + 60_000,
    nextExecutionAt: createdAt + 60_000,
    createdAt,
    updatedAt: null,
    ...change,
  };
}

export function webhookRecord(change: Partial<WebhookRecord> = {}): WebhookRecord {
  return {
    id: randomUUID(),
    projectId: 'default',
    description: null,
    functionId: 'a-function',
    functionVersion: 0,
    functionAlias: null,
    createdAt: nextMs++,
    updatedAt: null,
    ...change,
  };
}

/** The next version of a function: a snapshot of what it is. */
export function versionRecord(published: FunctionRecord, change: Partial<VersionRecord> = {}): VersionRecord {
  return {
    id: randomUUID(),
    functionId: published.id,
    projectId: published.projectId,
    versionNumber: published.latestVersion + 1,
    description: null,
    md5: String(published.code['md5sum']),
    packageDigest: published.packageDigest!,
    entry: published.entry,
    cpuMillicores: published.cpuMillicores,
    memoryBytes: published.memoryBytes,
    timeoutSeconds: published.timeoutSeconds,
    count: 0,
    createdAt: nextMs++,
    updatedAt: null,
    ...change,
  };
}

let aliasCount = 0;

/** An alias of a name and a function of its own. */
export function aliasRecord(change: Partial<AliasRecord> = {}): AliasRecord {
  return {
    id: randomUUID(),
    projectId: 'default',
    name: `alias ${++aliasCount}`,
    functionId: randomUUID(),
    functionVersion: 0,
    description: null,
    createdAt: nextMs++,
    updatedAt: null,
    ...change,
  };
}

/** A running, synchronous execution; younger than every one made before where `createdAt` is not given. */
export function executionRecord(change: Partial<ExecutionRecord> = {}): ExecutionRecord {
  const createdAt = change.createdAt ?? nextMs++;
  return {
    id: change.createdAt === undefined ? ids.next(createdAt) : idAt(createdAt),
    projectId: 'default',
    functionId: 'a-function',
    functionVersion: 0,
    functionAlias: null,
    description: null,
    status: ExecutionStatus.Running,
    isSync: true,
    input: '{"name": "Qinling"}',
    output: null,
    durationSeconds: null,
    isStarted: true,
    attempts: null,
    createdAt,
    updatedAt: null,
    ...change,
  };
}

function idAt(createdAt: number): string {
  const ofMoment = idsByMoment.get(createdAt) ?? new ExecutionIds();
  idsByMoment.set(createdAt, ofMoment);
  return ofMoment.next(createdAt);
}

/** A finished execution, as a warm call inserts it. */
export function finalRecord(change: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return executionRecord({ status: ExecutionStatus.Success, output: '"hello"', durationSeconds: 0.25, ...change });
}

export function executionLog(text: string, change: Partial<ExecutionLog> = {}): ExecutionLog {
  return { text: Buffer.from(text), isCut: false, isFinished: true, ...change };
}

export function success(change: Partial<ExecutionOutcome> = {}): ExecutionOutcome {
  return { status: ExecutionStatus.Success, output: '"hello"', durationSeconds: 0.25, log: null, ...change };
}

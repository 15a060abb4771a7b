import type { Access } from '../../gateway/auth/access.ts';
import { ANYBODY } from '../../gateway/auth/access.ts';
import { CallTargets } from '../../gateway/control/call-targets.ts';
import { Executions, type NewExecution } from '../../gateway/control/executions.ts';
import type { FinishedCall } from '../../gateway/control/finished-call.ts';
import { QinlingError, notFound } from '../../gateway/errors.ts';
import { Runner } from '../../gateway/control/runner.ts';
import { Invoker } from '../../gateway/invoke/invoker.ts';
import { AliasTargets } from '../../gateway/invoke/alias-targets.ts';
import { makeTarget, type Target } from '../../gateway/invoke/target.ts';
import { Targets } from '../../gateway/invoke/targets.ts';
import { LinkSet } from '../../gateway/link/link-set.ts';
import type { RetryPolicy } from '../../gateway/store/attempts.ts';
import type { ExecutionRecord, FunctionRecord, Store } from '../../gateway/store/store.ts';
import { Kind, type Hello, type Invoke } from '../../protocol/message.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { FakeAgent, until } from './fake-agent.ts';
import { functionRecord } from './store-records.ts';

interface Cleaner {
  after(cleanUp: () => Promise<void> | void): void;
}

export interface ExecutionsRigOptions {
  /** How long agents of an earlier process may take to come back. */
  readonly returnGraceMs?: number;
  readonly maxWaitingMs?: number;
  /** No agent at first. */
  readonly isAgentAway?: boolean;
  readonly hello?: Partial<Hello>;
}

/** A gateway process without HTTP: real control, invoker and links over a store, and an agent that does as it is told. */
export class ExecutionsRig {
  readonly store: Store;
  readonly executions: Executions;
  readonly links: LinkSet;
  readonly invoker: Invoker;
  readonly agent: FakeAgent;
  readonly faults: unknown[] = [];
  readonly #targets: Targets;
  isRunnable = true;

  static async open(cleaner: Cleaner, store: Store, options: ExecutionsRigOptions = {}): Promise<ExecutionsRig> {
    const rig = new ExecutionsRig(store, options);
    const alive = setInterval(() => undefined, 1_000); // none of the product's own timers keeps a process alive
    cleaner.after(() => {
      clearInterval(alive);
      rig.close();
    });
    if (options.isAgentAway !== true) rig.agent.connect();
    await rig.executions.start(new Runner(rig.invoker));
    return rig;
  }

  private constructor(store: Store, options: ExecutionsRigOptions) {
    this.store = store;
    this.links = new LinkSet({ maxOutputBytes: 1_000_000, concurrency: 3, returnGraceMs: 60_000 });
    this.#targets = new Targets({
      read: async (id) => targetOf(await this.#find(id)),
      whyNotRunnable: () => (this.isRunnable ? undefined : new QinlingError('CONFLICT', 'Runtime r is not available.')),
    });
    const aliases = new AliasTargets(async (_projectId, name) => {
      throw notFound(`FunctionAlias not found [name=${name}]`);
    });
    const callTargets = new CallTargets(this.#targets, aliases, store.functions);
    this.executions = new Executions(store.executions, this.#targets, callTargets, {
      maxWaitingMs: options.maxWaitingMs ?? 60_000,
      returnGraceMs: options.returnGraceMs ?? 0,
      onFault: (cause) => void this.faults.push(cause),
    });
    this.invoker = new Invoker(this.links, {
      concurrency: 3,
      maxWaitingCalls: 100,
      idleMs: 60_000,
      adoptCall: (id, link) => this.executions.adoptCall(id, link),
      onWarning: () => undefined,
    });
    this.agent = new FakeAgent(this.links, { protocolVersion: PROTOCOL_VERSION, ...options.hello });
  }

  async addFunction(retry: RetryPolicy | null = null, change: Partial<FunctionRecord> = {}): Promise<string> {
    const record = functionRecord({ packageDigest: 'd'.repeat(64), retry, ...change });
    await this.store.functions.insert(record);
    return record.id;
  }

  async deleteFunction(id: string): Promise<void> {
    await this.store.functions.delete(id);
    this.#targets.drop(id, 0);
  }

  /** Asks for a run; resolves with its answer, rejects with its refusal. */
  create(functionId: string, request: Partial<NewExecution> = {}, access: Access = ANYBODY): Promise<FinishedCall> {
    const whole = { functionId, functionVersion: 0, input: null, isSync: true, description: null, ...request };
    return new Promise((resolve, reject) => {
      this.executions.create(access, whole, (error, call) => (call === undefined ? reject(error!) : resolve(call)));
    });
  }

  async createLater(functionId: string, request: Partial<NewExecution> = {}): Promise<ExecutionRecord> {
    return (await this.create(functionId, { isSync: false, ...request })).record;
  }

  /** The invocation that the agent was sent as the so many-th, once it was. */
  async invoke(index: number, agent: FakeAgent = this.agent): Promise<Invoke> {
    await until(() => agent.invokes.length > index, `invocation ${index}`);
    return agent.invokes[index]!;
  }

  /** Resolves with the record once it is as wanted. */
  async untilRecord(id: string, isAsWanted: (record: ExecutionRecord) => boolean): Promise<ExecutionRecord> {
    for (;;) {
      const record = await this.store.executions.get(id, null);
      if (record !== undefined && isAsWanted(record)) return record;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Resolves when the agent was told that the result of a slot is recorded. */
  async acknowledged({ slot }: Invoke, agent: FakeAgent = this.agent): Promise<void> {
    await until(() => agent.of(Kind.Ack).some(({ slots }) => slots.includes(slot)), `the acknowledgement of ${slot}`);
  }

  /** Ends as a killed process does: nothing more is sent or written. The store is left to the next one. */
  close(): void {
    this.invoker.close();
    this.executions.close();
    this.links.close();
  }

  async #find(id: string): Promise<FunctionRecord> {
    const record = await this.store.functions.get(id, null);
    if (record === undefined) throw notFound(`Function not found [id=${id}]`);
    return record;
  }
}

function targetOf(record: FunctionRecord): Target {
  const { id: functionId, projectId, packageDigest, entry, cpuMillicores, memoryBytes, timeoutSeconds, retry } = record;
  return makeTarget({
    functionId,
    version: 0,
    projectId,
    runtimeId: 'r',
    poolName: 'python3',
    packageDigest: packageDigest!,
    entry: entry!,
    cpuMillicores,
    memoryBytes,
    timeoutMs: timeoutSeconds * 1000,
    image: null,
    retry,
  });
}

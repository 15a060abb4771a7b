import { randomUUID } from 'node:crypto';
import { decodeFrame } from '../../protocol/codec.ts';
import {
  BindFault,
  Kind,
  Outcome,
  type AgentMessage,
  type Bind,
  type GatewayMessage,
  type Hello,
  type Invoke,
} from '../../protocol/message.ts';
import type { AgentIdentity } from '../../gateway/link/agent-identity.ts';
import type { Link, LinkSocket } from '../../gateway/link/link.ts';
import type { LinkSet } from '../../gateway/link/link-set.ts';

const NO_BYTES = new Uint8Array();

/** An agent of the real protocol in this process: it keeps what it was sent, and answers as a test tells it. */
export class FakeAgent implements LinkSocket {
  readonly instanceId: string;
  readonly received: GatewayMessage[] = [];
  readonly #links: LinkSet;
  readonly #hello: Partial<Hello>;
  readonly #identity: AgentIdentity | undefined;
  link!: Link;
  isClosed = false;
  /** Answer Bind with Bound at once. */
  bindsAtOnce = true;
  /** Where it is set, every Invoke is answered by it, in a later turn. */
  runs: ((invoke: Invoke) => void) | undefined = undefined;

  constructor(links: LinkSet, hello: Partial<Hello> = {}, identity?: AgentIdentity) {
    this.#links = links;
    this.#hello = hello;
    this.#identity = identity;
    this.instanceId = hello.instanceId ?? randomUUID();
  }

  connect(): this {
    const hello: Hello = {
      kind: Kind.Hello,
      protocolVersion: 1,
      agentName: 'fake',
      instanceId: this.instanceId,
      pools: ['python3'],
      workerCount: 2,
      bound: [],
      held: [],
      ...this.#hello,
    };
    this.link = this.#links.welcome(this, hello, this.#identity);
    return this;
  }

  send(frame: Uint8Array): void {
    for (const message of decodeFrame(Buffer.from(frame)) as GatewayMessage[]) {
      this.received.push(message);
      if (message.kind === Kind.Bind && this.bindsAtOnce) setImmediate(() => this.bound(message));
      if (message.kind === Kind.Invoke && this.runs !== undefined) setImmediate(this.runs, message);
      if (message.kind === Kind.Unbind) setImmediate(() => this.say({ kind: Kind.Unbound, worker: message.worker }));
    }
  }

  close(): void {
    this.isClosed = true;
  }

  lose(): void {
    this.#links.socketLost(this.link, this);
  }

  say(message: AgentMessage): void {
    this.link.handle(message);
  }

  bound({ worker, targetKey }: Bind): void {
    this.say({ kind: Kind.Bound, worker, targetKey });
  }

  bindFailed({ worker, targetKey }: Bind, fault: BindFault, output = ''): void {
    const outcome = fault === BindFault.Function ? Outcome.Failed : Outcome.NotStarted;
    const reason = 'no disk';
    this.say({
      kind: Kind.BindFailed,
      worker,
      targetKey,
      fault,
      outcome,
      output: Buffer.from(output),
      log: NO_BYTES,
      reason,
    });
  }

  result(
    { slot }: Invoke,
    outcome: Outcome = Outcome.Returned,
    output = '1',
    durationMicros = 100,
    log = '',
    isLogCut = false,
  ): void {
    const bytes = { output: Buffer.from(output), log: Buffer.from(log) };
    this.say({ kind: Kind.Result, slot, outcome, durationMicros, ...bytes, isLogCut });
  }

  prints({ slot }: Invoke, offset: number, text: string): void {
    this.say({ kind: Kind.Log, slot, offset, log: Buffer.from(text) });
  }

  of<K extends GatewayMessage['kind']>(kind: K): Extract<GatewayMessage, { kind: K }>[] {
    return this.received.filter((message): message is Extract<GatewayMessage, { kind: K }> => message.kind === kind);
  }

  get invokes(): Invoke[] {
    return this.of(Kind.Invoke);
  }
}

/** Resolves when the condition holds; looks at every turn of the event loop. Rejects after 60 s. */
export async function until(isTrue: () => boolean, what = 'the condition'): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error(`${what} did not come true in 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

import { randomUUID } from 'node:crypto';
import { FrameBatch, decodeFrame } from '../protocol/codec.ts';
import { FIRST_RECONNECT_MS, LAST_RECONNECT_MS } from '../protocol/limits.ts';
import {
  Kind,
  type AgentMessage,
  type Bind,
  type GatewayMessage,
  type Invoke,
  type Log,
  type Result,
  type Welcome,
} from '../protocol/message.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { Socket } from './socket.ts';

/** Text of followed invocations is dropped while so much waits for the gateway. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export const GatewayLinkState = { Away: 'away', Greeting: 'greeting', Ready: 'ready', Closed: 'closed' } as const;
export type GatewayLinkState = (typeof GatewayLinkState)[keyof typeof GatewayLinkState];

/** Who does what the gateway asks for. */
export interface GatewayLinkHandler {
  onWelcome(welcome: Welcome): void;
  onBind(bind: Bind): void;
  onUnbind(worker: number): void;
  onInvoke(invoke: Invoke): void;
  /** An invocation that has no result yet is followed from now on, by a call of `onLog`; undefined: no more. */
  onFollow(worker: number, executionId: string, onLog: OnLog | undefined): void;
  /** What Hello reports of workers. */
  boundTargets(): [worker: number, targetKey: string][];
}

export interface GatewayLinkOptions {
  /** ws://host:port of the gateway's internal listener. */
  readonly url: string;
  readonly token: () => string;
  readonly agentName: string;
  readonly pools: readonly string[];
  readonly workerCount: number;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/** Text of an invocation, from this place in its log. */
type OnLog = (offset: number, log: Uint8Array) => void;

interface Held {
  readonly worker: number;
  readonly executionId: string;
  result: Result | undefined;
}

/**
 * The agent's end of the link.
 *
 *   Away --connected, Hello sent--> Greeting --Welcome--> Ready --socket lost--> Away (tries again, backing off)
 *   any --close()--> Closed
 *
 * Results are held until the gateway acknowledges them; after each Welcome those not acknowledged are sent again.
 */
export class GatewayLink {
  readonly #options: GatewayLinkOptions;
  readonly #handler: GatewayLinkHandler;
  readonly #instanceId = randomUUID();
  readonly #held = new Map<number, Held>();
  /** Workers of followed invocations, by the invocations' names. */
  readonly #followed = new Map<string, number>();
  #state: GatewayLinkState = GatewayLinkState.Away;
  #socket: Socket | undefined;
  #batch: FrameBatch | undefined;
  #backOffMs = FIRST_RECONNECT_MS;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #lastSignMs = 0;
  #isDraining = false;
  #onDrained: (() => void) | undefined;

  constructor(options: GatewayLinkOptions, handler: GatewayLinkHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  get state(): GatewayLinkState {
    return this.#state;
  }

  connect(): void {
    this.#lastSignMs = performance.now();
    const socket: Socket = new Socket(`${this.#options.url}/agent`, this.#options.token(), {
      onOpen: () => this.#greet(socket),
      onFrame: (frame) => this.#onFrame(frame),
      onSign: () => (this.#lastSignMs = performance.now()),
      onClosed: (reason) => this.#onClosed(socket, reason),
    });
    this.#socket = socket;
  }

  /** Hot. Answers an Invoke; kept until it is acknowledged. */
  sendResult(result: Result): void {
    const held = this.#held.get(result.slot);
    if (held === undefined) return;
    held.result = result;
    if (this.#followed.size > 0) this.#followed.delete(held.executionId);
    if (this.#state === GatewayLinkState.Ready) this.#batch!.add(result);
  }

  /** Sends what only matters now: while the link is away it is dropped, since the next Hello tells the same. */
  send(message: AgentMessage): void {
    if (this.#state === GatewayLinkState.Ready) this.#batch!.add(message);
  }

  /** Asks for no more work; resolves when every Result is acknowledged, or after the time. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    const isOver = new Promise<'over'>((resolve) => setTimeout(resolve, timeoutMs, 'over').unref());
    this.send({ kind: Kind.Drain });
    this.#batch?.flush();
    // The gateway has read Drain when the first round trip is done; what it had queued until then comes with the second.
    for (let trips = 0; trips < 2; trips++) {
      if (this.#state === GatewayLinkState.Ready) await Promise.race([this.#socket?.roundTrip(), isOver]);
    }
    if (this.#held.size === 0) return;
    const isDrained = new Promise<void>((resolve) => (this.#onDrained = resolve));
    await Promise.race([isDrained, isOver]);
  }

  close(): void {
    this.#state = GatewayLinkState.Closed;
    clearTimeout(this.#reconnectTimer);
    clearInterval(this.#silenceTimer);
    this.#batch?.flush();
    this.#socket?.close();
  }

  #greet(socket: Socket): void {
    if (this.#state === GatewayLinkState.Closed) return socket.terminate();
    this.#state = GatewayLinkState.Greeting;
    const { agentName, pools, workerCount } = this.#options;
    this.#batch = new FrameBatch((frame) => socket.send(frame));
    this.#batch.add({
      kind: Kind.Hello,
      protocolVersion: PROTOCOL_VERSION,
      agentName,
      instanceId: this.#instanceId,
      pools,
      workerCount,
      bound: this.#handler.boundTargets(),
      held: [...this.#held].map(([slot, { executionId }]) => [slot, executionId]),
    });
    this.#batch.flush();
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#state === GatewayLinkState.Closed) return; // sent before the gateway saw that we are going
    let messages: GatewayMessage[];
    try {
      messages = decodeFrame(frame) as GatewayMessage[];
    } catch (error) {
      this.#options.log.warn(`the gateway broke the protocol: ${(error as Error).message}`);
      this.#socket?.terminate();
      return;
    }
    for (const message of messages) this.#onMessage(message);
  }

  #onMessage(message: GatewayMessage): void {
    switch (message.kind) {
      case Kind.Welcome:
        return this.#onWelcome(message);
      case Kind.Bind:
        return this.#handler.onBind(message);
      case Kind.Unbind:
        return this.#handler.onUnbind(message.worker);
      case Kind.Invoke:
        this.#held.set(message.slot, { worker: message.worker, executionId: message.executionId, result: undefined });
        return this.#handler.onInvoke(message);
      case Kind.Ack:
        return this.#onAck(message.slots);
      case Kind.Follow:
        return this.#onFollow(message.slot, message.isWanted);
      default: // a kind for gateways has no meaning here
    }
  }

  #onFollow(slot: number, isWanted: boolean): void {
    const held = this.#held.get(slot);
    if (held === undefined || held.result !== undefined) return;
    const { worker, executionId } = held;
    if (isWanted) this.#followed.set(executionId, worker);
    else this.#followed.delete(executionId);
    const onLog: OnLog = (offset, log) => {
      if (this.#held.get(slot) === held) this.#sendLog({ kind: Kind.Log, slot, offset, log });
    };
    this.#handler.onFollow(worker, executionId, isWanted ? onLog : undefined);
  }

  /** A link that is behind is spared: the Result brings all that it would have missed. */
  #sendLog(log: Log): void {
    if (this.#socket !== undefined && this.#socket.waitingBytes < MAX_WAITING_BYTES) this.send(log);
  }

  #forgetFollowed(): void {
    for (const [executionId, worker] of this.#followed) this.#handler.onFollow(worker, executionId, undefined);
    this.#followed.clear();
  }

  #onWelcome(welcome: Welcome): void {
    this.#state = GatewayLinkState.Ready;
    this.#backOffMs = FIRST_RECONNECT_MS;
    this.#handler.onWelcome(welcome);
    if (this.#isDraining) this.send({ kind: Kind.Drain });
    for (const { result } of this.#held.values()) if (result !== undefined) this.#batch!.add(result);
    clearInterval(this.#silenceTimer);
    const checkMs = Math.max(1_000, welcome.silenceMs / 4);
    this.#silenceTimer = setInterval(() => {
      if (performance.now() - this.#lastSignMs > welcome.silenceMs) this.#socket?.terminate();
    }, checkMs).unref();
    this.#options.log.info(`link is up (session ${welcome.sessionId})`);
  }

  #onAck(slots: readonly number[]): void {
    for (const slot of slots) this.#held.delete(slot);
    if (this.#held.size === 0) this.#onDrained?.();
  }

  #onClosed(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#batch = undefined;
    this.#forgetFollowed();
    clearInterval(this.#silenceTimer);
    if (this.#state === GatewayLinkState.Closed) return;
    if (this.#state === GatewayLinkState.Ready) this.#options.log.warn(`link lost: ${reason}`);
    this.#state = GatewayLinkState.Away;
    const delayMs = this.#backOffMs * (0.5 + Math.random() / 2);
    this.#backOffMs = Math.min(this.#backOffMs * 2, LAST_RECONNECT_MS);
    this.#reconnectTimer = setTimeout(() => this.connect(), delayMs);
  }
}

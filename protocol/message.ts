/**
 * The messages of the link between gateway and agent. `README.md` beside this file is the specification; numbers are
 * append-only, and a reader skips kinds that it does not know.
 */
export const Kind = {
  Hello: 1,
  Welcome: 2,
  Bind: 3,
  Bound: 4,
  BindFailed: 5,
  Unbind: 6,
  Unbound: 7,
  Invoke: 8,
  Result: 9,
  Ack: 10,
  Drain: 11,
  Follow: 12,
  Log: 13,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Agent to gateway, first message of every connection. Answered by Welcome. */
export interface Hello {
  readonly kind: typeof Kind.Hello;
  readonly protocolVersion: number;
  /** Stable name of the agent: a pod's or machine's name. */
  readonly agentName: string;
  /** New for every process of the agent: tells a reconnect from a restart. */
  readonly instanceId: string;
  /** Names of the pools that the agent serves. */
  readonly pools: readonly string[];
  /** Number of workers; they are called 0 to workerCount - 1. */
  readonly workerCount: number;
  /** Workers that still have a target loaded. */
  readonly bound: readonly (readonly [worker: number, targetKey: string])[];
  /** Invocations that run, wait or are finished but not acknowledged; their slots stay taken. */
  readonly held: readonly (readonly [slot: number, executionId: string])[];
}

/** Gateway to agent: the session has begun. The agent now sends again the Results that it holds. */
export interface Welcome {
  readonly kind: typeof Kind.Welcome;
  readonly sessionId: string;
  /** A peer that has been silent for so long is lost: close the connection. */
  readonly silenceMs: number;
  /** Most bytes of one invocation's output. */
  readonly maxOutputBytes: number;
  /** Most processes that run one worker's target at a time. */
  readonly concurrency: number;
}

/** Gateway to agent: give a worker a target. Answered by Bound or BindFailed. A worker that had one gives it up first. */
export interface Bind {
  readonly kind: typeof Kind.Bind;
  readonly worker: number;
  readonly targetKey: string;
  readonly pool: string;
  /** sha256 (hex) of the package's tar, fetched from the gateway's /packages/<digest>. */
  readonly packageDigest: string;
  readonly entry: string;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  /** Most time that loading may take. */
  readonly loadTimeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** Agent to gateway: the target is loaded; the worker takes Invoke. */
export interface Bound {
  readonly kind: typeof Kind.Bound;
  readonly worker: number;
  readonly targetKey: string;
}

export const BindFault = {
  /** The function's own fault: its module does not load. `outcome` and `output` tell. */
  Function: 0,
  /** Ours: no package, no host. Another worker may do better. */
  Agent: 1,
} as const;
export type BindFault = (typeof BindFault)[keyof typeof BindFault];

/** Agent to gateway: the worker is free; `outcome`, `output`, `log` are those of a Result where the fault is the function's. */
export interface BindFailed {
  readonly kind: typeof Kind.BindFailed;
  readonly worker: number;
  readonly targetKey: string;
  readonly fault: BindFault;
  readonly outcome: Outcome;
  readonly output: Uint8Array;
  readonly log: Uint8Array;
  /** For our log, where the fault is ours. */
  readonly reason: string;
}

/** Gateway to agent: free the worker. What runs there ends, its Results say so. Answered by Unbound. */
export interface Unbind {
  readonly kind: typeof Kind.Unbind;
  readonly worker: number;
}

/** Agent to gateway: the worker is free, nothing of the target is left. Also sent unasked when a worker lost its target. */
export interface Unbound {
  readonly kind: typeof Kind.Unbound;
  readonly worker: number;
}

/** Gateway to agent: run the worker's target once. Answered by exactly one Result with the same slot. */
export interface Invoke {
  readonly kind: typeof Kind.Invoke;
  /** Chosen by the gateway; free again after its Ack. */
  readonly slot: number;
  readonly worker: number;
  /** Names the invocation; agents carry it unread. Behind the execution's id may stand a slash and the attempt's number. */
  readonly executionId: string;
  /** Most time from the moment user code starts: a span, since the two clocks may disagree. */
  readonly timeoutMs: number;
  /** JSON text of an object, empty for no input; carried unread. */
  readonly input: Uint8Array;
}

export const Outcome = {
  Returned: 0,
  Failed: 1,
  TimedOut: 2,
  /** Killed by a signal, out of memory, or a non-zero exit. */
  Killed: 3,
  /** The process exited with 0 and without a result. */
  Exited: 4,
  /** Did not begin, so that it may be sent to another worker. */
  NotStarted: 5,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Agent to gateway: the end of an invocation. Kept by the agent, and sent again after a reconnect, until its Ack. */
export interface Result {
  readonly kind: typeof Kind.Result;
  readonly slot: number;
  readonly outcome: Outcome;
  readonly durationMicros: number;
  /** JSON text; empty where the outcome has none. Carried unread. */
  readonly output: Uint8Array;
  /** What was printed, at most MAX_LOG_BYTES. */
  readonly log: Uint8Array;
  readonly isLogCut: boolean;
}

/** Gateway to agent: these Results are in the records; the agent forgets them, the slots are free. */
export interface Ack {
  readonly kind: typeof Kind.Ack;
  readonly slots: readonly number[];
}

/** Agent to gateway: no more work, please. It leaves when its last Result is acknowledged. */
export interface Drain {
  readonly kind: typeof Kind.Drain;
}

/** Gateway to agent: tell from now on (or no more) what this invocation prints, from its beginning. */
export interface Follow {
  readonly kind: typeof Kind.Follow;
  readonly slot: number;
  readonly isWanted: boolean;
}

/** Agent to gateway: text of a followed invocation. All that is kept comes in the Result, whatever came in Logs. */
export interface Log {
  readonly kind: typeof Kind.Log;
  readonly slot: number;
  /** Bytes of the invocation's log before this text. */
  readonly offset: number;
  readonly log: Uint8Array;
}

export type AgentMessage = Hello | Bound | BindFailed | Unbound | Result | Drain | Log;
export type GatewayMessage = Welcome | Bind | Unbind | Invoke | Ack | Follow;
export type Message = AgentMessage | GatewayMessage;

const names = Object.fromEntries(Object.entries(Kind).map(([name, kind]) => [kind, name]));

/** One short line about a message, for debug logs: never its input, output or environment. */
export function describeMessage(message: Message): string {
  const parts = [names[message.kind] ?? `kind ${String((message as { kind: number }).kind)}`];
  if ('worker' in message) parts.push(`worker=${message.worker}`);
  if ('slot' in message) parts.push(`slot=${message.slot}`);
  if ('targetKey' in message) parts.push(message.targetKey);
  if ('outcome' in message) parts.push(`outcome=${message.outcome}`);
  return parts.join(' ');
}

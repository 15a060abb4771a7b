import { Packr } from 'msgpackr';
import { encodeInvoke, encodeResult } from './hot-messages.ts';
import { BATCH_BYTES } from './limits.ts';
import { Kind, type Message } from './message.ts';

/**
 * Message to frame and back; the door to msgpackr.
 *
 * A frame is one or more msgpack arrays, `[kind, field, ...]` with the fields in the order of `FIELDS`. Unknown kinds
 * and surplus fields are skipped, so that either side may be newer than the other.
 */
const FIELDS: Readonly<Record<Kind, readonly string[]>> = {
  [Kind.Hello]: ['protocolVersion', 'agentName', 'instanceId', 'pools', 'workerCount', 'bound', 'held'],
  [Kind.Welcome]: ['sessionId', 'silenceMs', 'maxOutputBytes', 'concurrency'],
  [Kind.Bind]: [
    'worker',
    'targetKey',
    'pool',
    'packageDigest',
    'entry',
    'cpuMillicores',
    'memoryBytes',
    'loadTimeoutMs',
    'environment',
  ],
  [Kind.Bound]: ['worker', 'targetKey'],
  [Kind.BindFailed]: ['worker', 'targetKey', 'fault', 'outcome', 'output', 'log', 'reason'],
  [Kind.Unbind]: ['worker'],
  [Kind.Unbound]: ['worker'],
  [Kind.Invoke]: ['slot', 'worker', 'executionId', 'timeoutMs', 'input'],
  [Kind.Result]: ['slot', 'outcome', 'durationMicros', 'output', 'log', 'isLogCut'],
  [Kind.Ack]: ['slots'],
  [Kind.Drain]: [],
  [Kind.Follow]: ['slot', 'isWanted'],
  [Kind.Log]: ['slot', 'offset', 'log'],
};

/** What each field must be; anything else is a fault of the peer. */
type FieldCheck = (value: unknown) => boolean;
const isCount: FieldCheck = (value) => Number.isInteger(value) && (value as number) >= 0;
const isText: FieldCheck = (value) => typeof value === 'string';
const isBoolean: FieldCheck = (value) => typeof value === 'boolean';
const isBytes: FieldCheck = (value) => value instanceof Uint8Array;
const isPair: FieldCheck = (value) =>
  Array.isArray(value) && value.length === 2 && isCount(value[0]) && isText(value[1]);
const listOf =
  (check: FieldCheck): FieldCheck =>
  (value) =>
    Array.isArray(value) && value.every(check);
const isTextMap: FieldCheck = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText);

const CHECKS: Readonly<Record<string, FieldCheck>> = {
  protocolVersion: isCount,
  agentName: isText,
  instanceId: isText,
  pools: listOf(isText),
  workerCount: isCount,
  bound: listOf(isPair),
  held: listOf(isPair),
  sessionId: isText,
  silenceMs: isCount,
  maxOutputBytes: isCount,
  concurrency: isCount,
  worker: isCount,
  targetKey: isText,
  pool: isText,
  packageDigest: isText,
  entry: isText,
  cpuMillicores: isCount,
  memoryBytes: isCount,
  loadTimeoutMs: isCount,
  environment: isTextMap,
  fault: isCount,
  outcome: isCount,
  output: isBytes,
  log: isBytes,
  reason: isText,
  slot: isCount,
  executionId: isText,
  timeoutMs: isCount,
  input: isBytes,
  durationMicros: isCount,
  isLogCut: isBoolean,
  isWanted: isBoolean,
  offset: isCount,
  slots: listOf(isCount),
};

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** A frame that breaks the protocol; the link that sent it is closed. */
export class ProtocolError extends Error {}

/** Hot. One message as msgpack bytes; frames are these bytes one after the other. */
export function encodeMessage(message: Message): Buffer {
  if (message.kind === Kind.Invoke) return encodeInvoke(message);
  if (message.kind === Kind.Result) return encodeResult(message);
  const fields = message as unknown as Record<string, unknown>;
  return packr.pack([message.kind, ...FIELDS[message.kind].map((name) => fields[name])]);
}

/**
 * Hot. Every message of a frame, in order. The bytes of inputs and outputs are views of the frame, so the caller must
 * own it: a socket that uses its buffer again copies first. Throws ProtocolError.
 */
export function decodeFrame(frame: Uint8Array): Message[] {
  const messages: Message[] = [];
  let values: unknown[];
  try {
    values = (packr.unpackMultiple(frame) as unknown[] | undefined) ?? [];
  } catch (cause) {
    throw new ProtocolError('frame is not msgpack', { cause });
  }
  for (const value of values) {
    const message = toMessage(value);
    if (message !== undefined) messages.push(message);
  }
  return messages;
}

function toMessage(value: unknown): Message | undefined {
  if (!Array.isArray(value) || !isCount(value[0])) throw new ProtocolError('message is not an array with a kind');
  const kind = value[0] as Kind;
  const names = FIELDS[kind];
  if (names === undefined) return undefined;
  if (value.length <= names.length) throw new ProtocolError(`message of kind ${kind} lacks fields`);
  const message: Record<string, unknown> = { kind };
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    const field: unknown = value[index + 1];
    if (!CHECKS[name]!(field)) throw new ProtocolError(`message of kind ${kind}: bad field ${name}`);
    message[name] = field;
  }
  return message as unknown as Message;
}

/**
 * Collects the messages of one event-loop turn and sends them as one frame: one system call instead of many.
 * `send` gets the bytes of a frame.
 */
export class FrameBatch {
  readonly #send: (frame: Uint8Array) => void;
  #parts: Buffer[] = [];
  #bytes = 0;
  #isScheduled = false;

  constructor(send: (frame: Uint8Array) => void) {
    this.#send = send;
  }

  /** Hot. */
  add(message: Message): void {
    const part = encodeMessage(message);
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes >= BATCH_BYTES) {
      this.flush();
    } else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#parts.length === 0) return;
    const parts = this.#parts;
    const frame = parts.length === 1 ? parts[0]! : Buffer.concat(parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#send(frame);
  }
}

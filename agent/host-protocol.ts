/**
 * The frames between agent and language host: u32 length, u8 kind, fields; `runtimes/README.md` is the specification.
 */
export const HostKind = {
  Hello: 1,
  Spawn: 2,
  Kill: 3,
  Spawned: 4,
  Exited: 5,
  Load: 6,
  Loaded: 7,
  LoadFailed: 8,
  Invoke: 9,
  Result: 10,
  Follow: 11,
  Log: 12,
} as const;

export const HostRole = { Parent: 0, Child: 1 } as const;
export const ExitHow = { Exited: 0, Signal: 1, NotMade: 2 } as const;
export const HostOutcome = { Returned: 0, Failed: 1 } as const;
/** A uid or gid that says: leave it as it is. */
export const LEAVE_ID = 0xffff_ffff;

export const MAX_HOST_FRAME_BYTES = 64 * 1024 * 1024;
const HEAD_BYTES = 4;
const EMPTY = Buffer.alloc(0);

/** A frame that breaks the rules; its connection is closed. */
export class HostProtocolError extends Error {}

/** Writes the fields of one frame in their order. */
export class FrameWriter {
  readonly #parts: Buffer[] = [];
  #bytes = 1;
  readonly #kind: number;

  constructor(kind: number) {
    this.#kind = kind;
  }

  u8(value: number): this {
    return this.#add(Buffer.from([value]));
  }

  u16(value: number): this {
    const part = Buffer.allocUnsafe(2);
    part.writeUInt16BE(value);
    return this.#add(part);
  }

  u32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeUInt32BE(value);
    return this.#add(part);
  }

  u64(value: number): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigUInt64BE(BigInt(value));
    return this.#add(part);
  }

  bytes(value: Uint8Array): this {
    return this.u32(value.byteLength).#add(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  finish(): Buffer {
    const head = Buffer.allocUnsafe(HEAD_BYTES + 1);
    head.writeUInt32BE(this.#bytes);
    head[HEAD_BYTES] = this.#kind;
    return Buffer.concat([head, ...this.#parts], HEAD_BYTES + this.#bytes);
  }

  #add(part: Buffer): this {
    this.#parts.push(part);
    this.#bytes += part.length;
    return this;
  }
}

/** Hot. The Invoke frame in one allocation. */
export function encodeHostInvoke(id: number, executionId: string, input: Uint8Array): Buffer {
  const idBytes = executionId.length; // ASCII
  const length = 1 + 4 + 4 + idBytes + 4 + input.byteLength;
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame[4] = HostKind.Invoke;
  frame.writeUInt32BE(id, 5);
  frame.writeUInt32BE(idBytes, 9);
  frame.write(executionId, 13, 'latin1');
  frame.writeUInt32BE(input.byteLength, 13 + idBytes);
  frame.set(input, 17 + idBytes);
  return frame;
}

/** Reads the fields of one frame in their order; throws HostProtocolError where one is cut. */
export class FrameReader {
  readonly kind: number;
  readonly #data: Buffer;
  #position = 0;

  constructor(kind: number, data: Buffer) {
    this.kind = kind;
    this.#data = data;
  }

  u8(): number {
    return this.#data[this.#advance(1)]!;
  }

  u32(): number {
    return this.#data.readUInt32BE(this.#advance(4));
  }

  /** A copy, so that a short field never keeps a long chunk of the stream alive. */
  bytes(): Buffer {
    const length = this.u32();
    if (length === 0) return EMPTY;
    const start = this.#advance(length);
    return Buffer.from(this.#data.subarray(start, start + length));
  }

  text(): string {
    const length = this.u32();
    const start = this.#advance(length);
    return this.#data.toString('utf8', start, start + length);
  }

  #advance(length: number): number {
    const start = this.#position;
    if (start + length > this.#data.length) throw new HostProtocolError('a frame is cut');
    this.#position += length;
    return start;
  }
}

/** Cuts a stream into frames. */
export class FrameSplitter {
  readonly #maxFrameBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxFrameBytes = MAX_HOST_FRAME_BYTES) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** True while a part of a frame waits for its rest. */
  get isWithinFrame(): boolean {
    return this.#bytes > 0;
  }

  /** Hot. The frames that are complete with this chunk. Throws HostProtocolError for an impossible length. */
  push(chunk: Buffer): FrameReader[] {
    const [first] = this.#parts;
    if (first !== undefined && first.length < HEAD_BYTES) this.#parts = [Buffer.concat([first, chunk])];
    else this.#parts.push(chunk);
    this.#bytes += chunk.length;
    const needed = this.#neededBytes();
    if (needed === undefined || this.#bytes < needed) return [];
    const data = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#bytes);
    const frames: FrameReader[] = [];
    let position = 0;
    while (data.length - position >= HEAD_BYTES) {
      const length = this.#checkLength(data.readUInt32BE(position));
      const end = position + HEAD_BYTES + length;
      if (end > data.length) break;
      frames.push(new FrameReader(data[position + HEAD_BYTES]!, data.subarray(position + HEAD_BYTES + 1, end)));
      position = end;
    }
    this.#parts = position === data.length ? [] : [data.subarray(position)];
    this.#bytes = data.length - position;
    return frames;
  }

  /** Bytes of the first frame with its head, as soon as its length is known. */
  #neededBytes(): number | undefined {
    const first = this.#parts[0]!; // the only one as long as it is shorter than a head
    return first.length < HEAD_BYTES ? undefined : HEAD_BYTES + this.#checkLength(first.readUInt32BE(0));
  }

  #checkLength(length: number): number {
    if (length < 1 || length > this.#maxFrameBytes) throw new HostProtocolError(`a frame of ${length} bytes`);
    return length;
  }
}

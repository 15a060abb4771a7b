import { Kind, type Invoke, type Result } from './message.ts';

/**
 * Invoke and Result as msgpack, laid by hand: there is one of each a call, and a general encoder takes three times as
 * long. The bytes are those that msgpackr makes of the same arrays.
 */

const ARRAY = 0x90;
const FALSE = 0xc2;
const TRUE = 0xc3;
/** Of a number, a text's or bytes' head. */
const MAX_HEAD_BYTES = 9;

/** Hot. */
export function encodeInvoke({ slot, worker, executionId, timeoutMs, input }: Omit<Invoke, 'kind'>): Buffer {
  const idBytes = Buffer.byteLength(executionId);
  const bytes = Buffer.allocUnsafe(2 + 5 * MAX_HEAD_BYTES + idBytes + input.length);
  bytes[0] = ARRAY + 6;
  bytes[1] = Kind.Invoke;
  let end = putCount(bytes, 2, slot);
  end = putCount(bytes, end, worker);
  end = putTextHead(bytes, end, idBytes);
  end += bytes.write(executionId, end);
  end = putCount(bytes, end, timeoutMs);
  end = putBytes(bytes, end, input);
  return bytes.subarray(0, end);
}

/** Hot. */
export function encodeResult(result: Omit<Result, 'kind'>): Buffer {
  const { slot, outcome, durationMicros, output, log, isLogCut } = result;
  const bytes = Buffer.allocUnsafe(3 + 5 * MAX_HEAD_BYTES + output.length + log.length);
  bytes[0] = ARRAY + 7;
  bytes[1] = Kind.Result;
  let end = putCount(bytes, 2, slot);
  end = putCount(bytes, end, outcome);
  end = putCount(bytes, end, durationMicros);
  end = putBytes(bytes, end, output);
  end = putBytes(bytes, end, log);
  bytes[end++] = isLogCut ? TRUE : FALSE;
  return bytes.subarray(0, end);
}

/** An integer that is not negative. Returns where it ends, as all of these do. */
function putCount(bytes: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = value;
    return at + 1;
  }
  if (value <= 0xffffffff) return putSized(bytes, at, value, 0xcc);
  bytes[at] = 0xcf;
  return bytes.writeBigUInt64BE(BigInt(value), at + 1);
}

function putBytes(bytes: Buffer, at: number, value: Uint8Array): number {
  const start = putSized(bytes, at, value.length, 0xc4);
  bytes.set(value, start);
  return start + value.length;
}

function putTextHead(bytes: Buffer, at: number, length: number): number {
  if (length >= 32) return putSized(bytes, at, length, 0xd9);
  bytes[at] = 0xa0 | length;
  return at + 1;
}

/** A number of one, two or four bytes, behind the tag of its size: `tag`, or one of the next two. */
function putSized(bytes: Buffer, at: number, value: number, tag: number): number {
  if (value <= 0xff) {
    bytes[at] = tag;
    bytes[at + 1] = value;
    return at + 2;
  }
  if (value <= 0xffff) {
    bytes[at] = tag + 1;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value;
    return at + 3;
  }
  bytes[at] = tag + 2;
  return bytes.writeUInt32BE(value, at + 1);
}

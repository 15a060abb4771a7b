const HEAD_BYTES = 8;

/**
 * The bytes that a container printed, out of Docker's stream of frames: u8 stream, three zero bytes, u32 length, the
 * bytes (Docker Engine API, "Attach to a container", Stream format). A stream that ends within a frame is taken as far
 * as it goes.
 */
export function demultiplexLog(stream: Buffer, maxBytes: number): { log: Buffer; isLogCut: boolean } {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (let position = 0; position + HEAD_BYTES <= stream.length;) {
    const start = position + HEAD_BYTES;
    const end = start + stream.readUInt32BE(position + 4);
    const part = stream.subarray(start, end);
    parts.push(part);
    bytes += part.length;
    position = end;
  }
  const log = Buffer.concat(parts, bytes);
  return { log: log.subarray(0, maxBytes), isLogCut: log.length > maxBytes };
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  FrameSplitter,
  FrameWriter,
  HostKind,
  HostProtocolError,
  MAX_HOST_FRAME_BYTES,
  encodeHostInvoke,
  type FrameReader,
} from '../../agent/host-protocol.ts';

const MAX_BYTES = 1_000;

const frames = fc.array(
  fc.record({ kind: fc.integer({ min: 0, max: 255 }), number: fc.nat(), text: fc.string({ unit: 'binary' }) }),
  { maxLength: 20 },
);

/** Cuts at the given places; a place may come twice, which makes an empty piece. */
function pieces(data: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (data.length + 1)).sort((a, b) => a - b), data.length];
  return places.slice(1).map((end, index) => data.subarray(places[index], end));
}

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 50 }), (sent, cuts) => {
      const stream = sent.map(({ kind, number, text }) => new FrameWriter(kind).u32(number).text(text).u8(7).finish());
      const splitter = new FrameSplitter();
      const received = pieces(Buffer.concat(stream), cuts)
        .flatMap((piece) => splitter.push(piece))
        .map((frame) => ({ kind: frame.kind, number: frame.u32(), text: frame.text(), end: frame.u8() }));
      assert.deepEqual(
        received,
        sent.map((frame) => ({ ...frame, end: 7 })),
      );
    }),
  );
});

test('a stream of single bytes is read', () => {
  const frame = new FrameWriter(HostKind.Kill).text('name').finish();
  const splitter = new FrameSplitter();
  const received = Array.from(Buffer.concat([frame, frame])).flatMap((byte) => splitter.push(Buffer.from([byte])));
  assert.deepEqual(
    received.map((reader) => reader.text()),
    ['name', 'name'],
  );
});

test('garbage makes frames or a protocol error, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 10 }), (chunks) => {
      const splitter = new FrameSplitter(MAX_BYTES);
      try {
        for (const chunk of chunks) for (const frame of splitter.push(Buffer.from(chunk))) readAll(frame);
      } catch (error) {
        assert.ok(error instanceof HostProtocolError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a frame that ends within a field is a protocol error', () => {
  const whole = new FrameWriter(HostKind.Result).u32(1).u8(0).u32(2).bytes(Buffer.from('output')).finish();
  for (let length = 5; length < whole.length; length++) {
    const cut = Buffer.from(whole.subarray(0, length));
    cut.writeUInt32BE(length - 4);
    const [frame] = new FrameSplitter().push(cut);
    assert.throws(() => [frame!.u32(), frame!.u8(), frame!.u32(), frame!.bytes()], HostProtocolError);
  }
});

test('a frame over the limit is refused at its head, before anything is gathered', () => {
  const head = (length: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    return bytes;
  };
  assert.deepEqual(new FrameSplitter(MAX_BYTES).push(head(MAX_BYTES)), []);
  assert.throws(() => new FrameSplitter(MAX_BYTES).push(head(MAX_BYTES + 1)), HostProtocolError);
  assert.throws(() => new FrameSplitter(MAX_BYTES).push(head(0)), HostProtocolError);
  assert.throws(() => new FrameSplitter().push(head(MAX_HOST_FRAME_BYTES + 1)), HostProtocolError);
});

test('bytes that are kept do not keep the chunk that they came in', () => {
  const chunk = Buffer.concat([new FrameWriter(HostKind.Result).bytes(Buffer.from('kept')).finish(), Buffer.alloc(1)]);
  const [frame] = new FrameSplitter().push(chunk);
  const kept = frame!.bytes();
  chunk.fill(0);
  assert.equal(kept.toString(), 'kept');
});

test('an Invoke has the fields that the contract tells', () => {
  fc.assert(
    fc.property(fc.nat(), fc.uuid(), fc.uint8Array(), (id, executionId, input) => {
      const [frame] = new FrameSplitter().push(encodeHostInvoke(id, executionId, input));
      assert.equal(frame!.kind, HostKind.Invoke);
      assert.deepEqual([frame!.u32(), frame!.text(), [...frame!.bytes()]], [id, executionId, [...input]]);
    }),
  );
});

function readAll(frame: FrameReader): void {
  frame.u8();
  frame.text();
  frame.bytes();
  frame.u32();
}

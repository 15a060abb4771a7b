import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { demultiplexLog } from '../../../../gateway/orchestrator/docker/log-demultiplexer.ts';

function frame(stream: number, text: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, text]);
}

const texts = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 20 })), { maxLength: 20 });

test('what was printed comes out in its order, up to the limit', () => {
  fc.assert(
    fc.property(texts, fc.nat(100), (frames, limit) => {
      const printed = Buffer.concat(frames.map(([, text]) => text));
      const { log, isLogCut } = demultiplexLog(
        Buffer.concat(frames.map(([stream, text]) => frame(stream, text))),
        limit,
      );
      assert.deepEqual(log, printed.subarray(0, limit));
      assert.equal(isLogCut, printed.length > limit);
    }),
  );
});

test('a stream that ends anywhere gives what is there', () => {
  fc.assert(
    fc.property(texts, fc.nat(), (frames, cut) => {
      const printed = Buffer.concat(frames.map(([, text]) => text));
      const stream = Buffer.concat(frames.map(([of, text]) => frame(of, text)));
      const { log } = demultiplexLog(stream.subarray(0, cut % (stream.length + 1)), 1000);
      assert.deepEqual(log, printed.subarray(0, log.length));
    }),
  );
});

test('any bytes are taken', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.ok(demultiplexLog(Buffer.from(bytes), 50).log.length <= 50);
    }),
  );
});

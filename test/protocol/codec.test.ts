import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { FrameBatch, ProtocolError, decodeFrame, encodeMessage } from '../../protocol/codec.ts';
import { Kind, Outcome, describeMessage, type Message } from '../../protocol/message.ts';
import { samples } from './samples.ts';

const goldenFile = new URL('../../../test/protocol/golden.json', import.meta.url);
const golden = JSON.parse(readFileSync(goldenFile, 'utf8')) as Record<string, string>;

/** Buffers and Uint8Arrays with the same bytes are equal for our purpose. */
function plain(message: Message): unknown {
  return JSON.parse(JSON.stringify(message, (_key, value: unknown) => value));
}

describe('codec', () => {
  test('there is a golden frame for every kind', () => {
    assert.deepEqual(Object.keys(golden).sort(), Object.keys(Kind).sort());
    assert.deepEqual(Object.keys(samples).sort(), Object.keys(Kind).sort());
  });

  for (const [name, message] of Object.entries(samples)) {
    test(`${name} encodes to its golden frame and back`, () => {
      assert.equal(encodeMessage(message).toString('hex'), golden[name]);
      const [decoded] = decodeFrame(Buffer.from(golden[name]!, 'hex'));
      assert.deepEqual(plain(decoded!), plain(message));
    });
  }

  test('Invoke and Result of any numbers, texts and bytes are what msgpackr makes of them', () => {
    const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
    const count = fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.integer({ min: 200, max: 70_000 }).map((length) => new Uint8Array(length)),
    );
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.uuid());
    const invoke = fc.record({ slot: count, worker: count, executionId: text, timeoutMs: count, input: bytes });
    const result = fc.record({
      slot: count,
      outcome: fc.constantFrom(...Object.values(Outcome)),
      durationMicros: count,
      output: bytes,
      log: bytes,
      isLogCut: fc.boolean(),
    });
    fc.assert(
      fc.property(invoke, result, (invokeFields, resultFields) => {
        for (const message of [
          { kind: Kind.Invoke, ...invokeFields },
          { kind: Kind.Result, ...resultFields },
        ] as Message[]) {
          assert.deepEqual(encodeMessage(message), Buffer.from(packr.pack(Object.values(message))));
        }
      }),
    );
    const slow = { kind: Kind.Invoke, ...samples.Invoke, timeoutMs: 2 ** 40 } as Message;
    assert.deepEqual(decodeFrame(encodeMessage(slow)), [slow]);
  });

  test('a frame of several messages keeps their order', () => {
    const messages = Object.values(samples);
    const decoded = decodeFrame(Buffer.concat(messages.map(encodeMessage)));
    assert.deepEqual(
      decoded.map((message) => message.kind),
      messages.map((message) => message.kind),
    );
  });

  test('unknown kinds and surplus fields are skipped', () => {
    const unknown = Buffer.from('93ccfa01a178', 'hex'); // [250, 1, "x"]
    const longer = Buffer.from('93060305', 'hex'); // Unbind of worker 3 with a field more
    const decoded = decodeFrame(Buffer.concat([unknown, longer]));
    assert.deepEqual(decoded, [{ kind: Kind.Unbind, worker: 3 }]);
  });

  test('a message that lacks fields or has wrong ones is a ProtocolError', () => {
    for (const hex of ['9106', '9206a178', '9206ff', '81a16101', 'c0', 'c1', '01', '90', '9108']) {
      assert.throws(() => decodeFrame(Buffer.from(hex, 'hex')), ProtocolError, hex);
    }
  });

  test('any bytes decode to messages or to a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeFrame(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('a golden frame with a changed byte decodes to messages or to a ProtocolError', () => {
    const frames = Object.values(golden).map((hex) => Buffer.from(hex, 'hex'));
    fc.assert(
      fc.property(fc.constantFrom(...frames), fc.nat(), fc.nat(255), (frame, position, value) => {
        const changed = Buffer.from(frame);
        changed[position % changed.length] = value;
        try {
          decodeFrame(changed);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('a description shows neither input nor output nor environment', () => {
    for (const message of Object.values(samples)) assert.doesNotMatch(describeMessage(message), /name|hi x|hello/);
  });
});

describe('frame batch', () => {
  test('messages of one turn leave as one frame, in order', async () => {
    const frames: Uint8Array[] = [];
    const batch = new FrameBatch((frame) => frames.push(frame));
    batch.add(samples['Unbind']!);
    batch.add(samples['Invoke']!);
    assert.equal(frames.length, 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(frames.length, 1);
    assert.deepEqual(
      decodeFrame(frames[0]!).map((message) => message.kind),
      [Kind.Unbind, Kind.Invoke],
    );
  });

  test('a batch that grows large leaves at once', () => {
    const frames: Uint8Array[] = [];
    const batch = new FrameBatch((frame) => frames.push(frame));
    const invoke = { ...samples['Invoke'], input: Buffer.alloc(600 * 1024) } as Message;
    batch.add(invoke);
    assert.equal(frames.length, 0);
    batch.add(invoke);
    assert.equal(frames.length, 1);
  });
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { QinlingError } from '../../gateway/errors.ts';
import { readForm, removeFiles, type Form, type UploadedFile } from '../../gateway/http/upload-form.ts';
import { emptyFolder } from '../support/folder.ts';
import { bytesOf } from '../support/file-source.ts';

const RUNS = 400;
const MAX_FILE_BYTES = 2_000;
const MAX_HELD_BYTES = 100;

interface Part {
  readonly name: string;
  readonly fileName: string | undefined;
  readonly type: string | undefined;
  readonly content: Uint8Array;
}

const name = fc.string({ unit: fc.constantFrom('a', 'b', 'ü', '🙂', ' ', '-', '=', '1'), minLength: 1, maxLength: 8 });
const part: fc.Arbitrary<Part> = fc.record({
  name,
  fileName: fc.option(name, { nil: undefined }),
  type: fc.option(fc.constantFrom('text/plain', 'application/zip', 'application/json; charset=utf-8'), {
    nil: undefined,
  }),
  content: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .string({ unit: fc.constantFrom('\r', '\n', '-', 'b', '\r\n--', 'x'), maxLength: 60 })
      .map((text) => Buffer.from(text)),
  ),
});
/** How the bytes are cut on their way. */
const cuts = fc.array(fc.nat(200), { maxLength: 20 });
const mutation = fc.record({
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom('byte', 'cut', 'end', 'repeat'),
  value: fc.nat(255),
});

const BOUNDARY = 'boundary1';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

function encode(parts: readonly Part[]): Buffer {
  const pieces = parts.flatMap(({ name: partName, fileName, type, content }) => {
    const file = fileName === undefined ? '' : `; filename="${fileName}"`;
    const typeLine = type === undefined ? '' : `Content-Type: ${type}\r\n`;
    const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${partName}"${file}\r\n${typeLine}\r\n`;
    return [Buffer.from(head), Buffer.from(content), Buffer.from('\r\n')];
  });
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

function cutAt(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    chunks.push(bytes.subarray(at, at + length + 1));
    at += length + 1;
  }
  return [...chunks, bytes.subarray(at)].filter((chunk) => chunk.length > 0);
}

function mutate(bytes: Buffer, { place, kind, value }: { place: number; kind: string; value: number }): Buffer {
  const at = Math.floor(place * bytes.length);
  if (kind === 'end') return bytes.subarray(0, at);
  if (kind === 'cut') return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + value)]);
  if (kind === 'repeat') return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - value))]);
  const changed = Buffer.from(bytes);
  if (at < changed.length) changed[at] = value;
  return changed;
}

/** Reads a form, and checks what holds whatever came: a form with its files whole, or a refusal that leaves none. */
async function check(directory: string, type: string, chunks: readonly Buffer[]): Promise<Form | undefined> {
  const limits = { directory, maxFileBytes: MAX_FILE_BYTES, maxHeldBytes: MAX_HELD_BYTES };
  let form: Form;
  try {
    form = await readForm(Readable.from(chunks), type, limits);
  } catch (error) {
    assert.ok(error instanceof QinlingError && [400, 413].includes(error.httpStatus), String(error));
    assert.deepEqual(readdirSync(directory), []);
    return undefined;
  }
  assert.deepEqual(
    readdirSync(directory).sort(),
    [...form.files.values()].flatMap(({ source }) => ('path' in source ? [basename(source.path)] : [])).sort(),
  );
  for (const { source, bytes, md5 } of form.files.values()) {
    const content = bytesOf(source);
    assert.equal('content' in source, bytes <= MAX_HELD_BYTES);
    assert.deepEqual([content.length, createHash('md5').update(content).digest('hex')], [bytes, md5]);
    assert.ok(bytes <= MAX_FILE_BYTES);
  }
  return form;
}

function openDirectory(t: Parameters<typeof emptyFolder>[0]): string {
  const directory = join(emptyFolder(t), 'uploads');
  mkdirSync(directory);
  return directory;
}

test('a form is read as it was written, however it is cut on its way', async (t) => {
  const directory = openDirectory(t);
  const distinct = fc.uniqueArray(part, { maxLength: 4, selector: ({ name: partName }) => partName });
  const property = fc.asyncProperty(distinct, cuts, async (parts, lengths) => {
    const form = await check(directory, TYPE, cutAt(encode(parts), lengths));
    assert.ok(form !== undefined);
    for (const { name: partName, fileName, content } of parts) {
      if (fileName === undefined) {
        const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
        assert.equal(form.fields.get(partName), text);
      } else {
        const file: UploadedFile = form.files.get(partName)!;
        assert.deepEqual([file.fileName, bytesOf(file.source)], [fileName, Buffer.from(content)]);
      }
    }
    assert.equal(form.fields.size + form.files.size, parts.length);
    await removeFiles(form.files);
  });
  await fc.assert(property, { numRuns: RUNS });
});

test('no bytes of a form do harm', async (t) => {
  const directory = openDirectory(t);
  const broken = fc
    .tuple(fc.array(part, { maxLength: 6 }), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([parts, mutations]) => mutations.reduce(mutate, encode(parts)));
  const anything = fc.oneof(
    { weight: 4, arbitrary: broken },
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  );
  const types = fc.constantFrom(
    TYPE,
    TYPE,
    TYPE,
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'multipart/form-data; boundary="',
  );
  const property = fc.asyncProperty(anything, cuts, types, async (bytes, lengths, type) => {
    const form = await check(directory, type, cutAt(bytes, lengths));
    if (form !== undefined) await removeFiles(form.files);
  });
  await fc.assert(property, { numRuns: RUNS });
});

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { list } from 'tar';
import { QinlingError } from '../../gateway/errors.ts';
import type { FileSource } from '../../gateway/file-source.ts';
import { PackageBuilder } from '../../gateway/packages/package-builder.ts';
import { craftZip, type CraftedEntry } from '../support/crafted-zip.ts';
import { bytesOf } from '../support/file-source.ts';
import { emptyFolder } from '../support/folder.ts';

const LIMITS = { maxUnpackedBytes: 100_000, maxEntries: 20 };
const RUNS = 400;

const ROUND = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A place (as a share of the file) and what happens there. */
const mutation = fc.record({
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom('byte', 'number', 'cut', 'insert', 'repeat'),
  value: fc.oneof(fc.constantFrom(...ROUND), fc.integer({ min: 0, max: 0xffffffff })),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

const NAMES = ['main.py', 'a/main.py', 'a', 'a/', '../x', '/x', 'a/./b', 'a//c', 'C:x', 'x\\y', 'ü', 'n\0', ''];
const entry: fc.Arbitrary<CraftedEntry> = fc.record(
  {
    name: fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: 'binary', maxLength: 40 })),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(200_000).map((length) => new Uint8Array(length)),
    ),
    isDeflated: fc.boolean(),
    mode: fc.constantFrom(0, 0o100644, 0o100755, 0o040755, 0o120777, 0o060600, 0xffff),
    flags: fc.constantFrom(0, 0, 0, 1, 8, 0x41, 0x2000),
    method: fc.constantFrom(0, 8, 12, 99),
    claimedBytes: fc.constantFrom(0, 1, 300, 99_999, 0xffffffff),
  },
  { requiredKeys: ['name'] },
);

function mutate(zip: Buffer, { place, kind, value }: Mutation): Buffer {
  const at = Math.min(Math.floor(place * zip.length), Math.max(zip.length - 1, 0));
  if (zip.length === 0) return zip;
  if (kind === 'cut') return Buffer.concat([zip.subarray(0, at), zip.subarray(at + 1 + (value % 64))]);
  if (kind === 'insert') return Buffer.concat([zip.subarray(0, at), Buffer.alloc(value % 64, value), zip.subarray(at)]);
  if (kind === 'repeat') return Buffer.concat([zip.subarray(0, at), zip]);
  const changed = Buffer.from(zip);
  if (kind === 'number' && at + 4 <= changed.length) changed.writeUInt32LE(value, at);
  else changed[at] = value & 0xff;
  return changed;
}

/** Builds a package of the bytes, and checks what holds whatever they are. */
async function check(folder: string, bytes: Uint8Array): Promise<void> {
  const tars = join(folder, 'tars');
  rmSync(tars, { recursive: true, force: true });
  mkdirSync(tars);
  const zipPath = join(folder, 'package.zip');
  writeFileSync(zipPath, bytes);
  const fromDisk = await outcomeOf(tars, { path: zipPath });
  const fromMemory = await outcomeOf(tars, { content: Buffer.from(bytes) });
  assert.equal(fromMemory, fromDisk);
}

/** The digest of the package, or what is wrong. */
async function outcomeOf(tars: string, zip: FileSource): Promise<string> {
  try {
    const { source, digest } = await new PackageBuilder(tars, LIMITS).build(zip, 'main.main');
    const path = join(tars, 'checked.tar');
    writeFileSync(path, bytesOf(source));
    checkTar(path);
    rmSync(path);
    return digest;
  } catch (error) {
    assert.ok(error instanceof QinlingError, String(error));
    assert.equal(error.code, 'INVALID_INPUT');
    assert.match(error.message, /^Package is /);
    assert.deepEqual(readdirSync(tars), []);
    return error.message;
  }
}

function checkTar(path: string): void {
  const files = new Set<string>();
  let bytes = 0;
  let count = 0;
  list({
    file: path,
    sync: true,
    strict: true,
    onReadEntry: ({ path: name, type, size }) => {
      count++;
      bytes += size;
      assert.ok(type === 'File' || type === 'Directory', type);
      assert.ok(!name.startsWith('/') && !/\\|\0/.test(name), name);
      assert.ok(!name.split('/').includes('..'), name);
      if (type === 'File') assert.ok(!files.has(name), name);
      files.add(name);
    },
  });
  assert.ok(bytes <= LIMITS.maxUnpackedBytes && count <= LIMITS.maxEntries);
}

test('no archive that a program may have written does harm', async (t) => {
  const folder = emptyFolder(t);
  const entries = fc.array(entry, { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(entries, (crafted) => check(folder, craftZip(crafted))),
    { numRuns: RUNS },
  );
});

test('no damaged archive does harm', async (t) => {
  const folder = emptyFolder(t);
  const whole = craftZip(
    [
      { name: 'home/main.py', data: 'def main(): return 1\n'.repeat(50), isDeflated: true },
      { name: 'home/lib/', mode: 0o040755 },
      { name: 'home/lib/data', data: 'abc' },
    ],
    { comment: 'a comment' },
  );
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(mutations, (all) => check(folder, all.reduce(mutate, whole))),
    { numRuns: RUNS },
  );
});

test('no damaged archive of the large format does harm', async (t) => {
  const folder = emptyFolder(t);
  const whole = toLargeFormat(craftZip([{ name: 'main.py', data: 'def main(): return 1\n' }]));
  await check(folder, whole);
  const tail = { min: 1 - 98 / whole.length, max: 1, noNaN: true };
  const inTail = fc.record({ place: fc.double(tail), kind: fc.constantFrom('byte', 'number'), value: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(inTail, mutation), { minLength: 1, maxLength: 4 }), (all) =>
      check(folder, (all as Mutation[]).reduce(mutate, whole)),
    ),
    { numRuns: RUNS },
  );
});

test('no bytes at all do harm', async (t) => {
  const folder = emptyFolder(t);
  const bytes = fc.uint8Array({ maxLength: 2000 });
  await fc.assert(
    fc.asyncProperty(bytes, (some) => check(folder, some)),
    { numRuns: RUNS },
  );
});

/** The same archive with the records of zip64 before its end. */
function toLargeFormat(zip: Buffer): Buffer {
  const end = zip.subarray(-22);
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50);
  record.writeUInt32LE(44, 4);
  record.writeUInt32LE(end.readUInt16LE(10), 24);
  record.writeUInt32LE(end.readUInt16LE(10), 32);
  record.writeUInt32LE(end.readUInt32LE(12), 40);
  record.writeUInt32LE(end.readUInt32LE(16), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50);
  locator.writeUInt32LE(zip.length - 22, 8);
  return Buffer.concat([zip.subarray(0, -22), record, locator, end]);
}

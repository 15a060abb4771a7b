import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { list } from 'tar';
import { QinlingError } from '../../../gateway/errors.ts';
import { PackageBuilder } from '../../../gateway/packages/package-builder.ts';
import { craftZip, type CraftedEntry } from '../../support/crafted-zip.ts';
import { bytesOf } from '../../support/file-source.ts';
import { emptyFolder } from '../../support/folder.ts';

const LIMITS = { maxUnpackedBytes: 4 * 1024 * 1024, maxEntries: 100 };
const LINK = 0o120777;
const PIPE = 0o010644;

function rig(t: TestContext, limits = LIMITS) {
  const folder = emptyFolder(t);
  const tars = join(folder, 'tars');
  mkdirSync(tars);
  const builder = new PackageBuilder(tars, limits);
  const zipPath = join(folder, 'package.zip');
  let count = 0;
  /** Of the zip on disk and of the zip in memory: it makes no difference. */
  const build = async (zip: Uint8Array, entry = 'main.main') => {
    writeFileSync(zipPath, zip);
    const { source, digest } = await builder.build({ path: zipPath }, entry);
    const fromMemory = await builder.build({ content: Buffer.from(zip) }, entry);
    assert.equal(fromMemory.digest, digest);
    assert.deepEqual(bytesOf(fromMemory.source), bytesOf(source));
    const path = join(folder, `built${count++}.tar`);
    writeFileSync(path, bytesOf(source));
    return { path, digest, isInMemory: 'content' in source };
  };
  const refuse = async (zip: Uint8Array, text: string | RegExp) => {
    writeFileSync(zipPath, zip);
    for (const source of [{ path: zipPath }, { content: Buffer.from(zip) }]) {
      await assert.rejects(builder.build(source, 'main.main'), (error) => {
        assert.ok(error instanceof QinlingError, String(error));
        assert.equal(error.httpStatus, 400);
        if (typeof text === 'string') assert.equal(error.message, text);
        else assert.match(error.message, text);
        return true;
      });
    }
    assert.deepEqual(readdirSync(tars), [], 'a refused package leaves no file');
  };
  return { folder, build, refuse };
}

/** A tar's entries by path: type, mode and content, in their order. */
function contentOf(path: string): [string, string, number, string][] {
  const entries: [string, string, number, string][] = [];
  list({
    file: path,
    sync: true,
    strict: true,
    onReadEntry: (entry) => {
      const chunks: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => chunks.push(chunk));
      entry.on('end', () => {
        assert.equal(entry.mtime?.getTime(), 0);
        assert.equal(entry.uid, 0);
        assert.equal(entry.gid, 0);
        entries.push([entry.path, entry.type, entry.mode ?? -1, Buffer.concat(chunks).toString('latin1')]);
      });
    },
  });
  return entries;
}

test('a zip becomes a tar of the same files, named by its sha256', async (t) => {
  const { build } = rig(t);
  const noise = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) % 251));
  const built = await build(
    craftZip([
      { name: 'main.py', data: 'def main(): pass\n' },
      { name: 'lib/', mode: 0o040700 },
      { name: 'lib/noise.bin', data: noise, isDeflated: true },
      { name: './lib//run.sh', data: '#!/bin/sh\n', mode: 0o100700 },
      { name: 'empty', data: '' },
    ]),
  );

  assert.deepEqual(contentOf(built.path), [
    ['main.py', 'File', 0o644, 'def main(): pass\n'],
    ['lib/', 'Directory', 0o755, ''],
    ['lib/noise.bin', 'File', 0o644, noise.toString('latin1')],
    ['lib/run.sh', 'File', 0o755, '#!/bin/sh\n'],
    ['empty', 'File', 0o644, ''],
  ]);
  assert.equal(createHash('sha256').update(readFileSync(built.path)).digest('hex'), built.digest);
});

test('the same zip and root give the same tar, another root another one', async (t) => {
  const { build } = rig(t);
  const zip = craftZip([
    { name: 'home/user/dir/main.py', data: 'one' },
    { name: 'home/user/dir/other.py', data: 'two' },
    { name: 'home/notes.txt', data: 'three' },
  ]);

  const first = await build(zip);
  const again = await build(zip, 'other.run');
  const whole = await build(zip, 'missing.main');

  assert.equal(first.digest, again.digest);
  assert.deepEqual(
    contentOf(first.path).map(([path]) => path),
    ['main.py', 'other.py'],
  );
  assert.equal(contentOf(whole.path).length, 3);
  assert.notEqual(first.digest, whole.digest);
});

test('other programs unpack the tar, whatever its names', async (t) => {
  const { build, folder } = rig(t);
  const names = [
    'ü.txt',
    '日本/ファイル',
    'x'.repeat(255),
    ...[90, 97, 98, 99, 100].map((n) => `${'d'.repeat(n)}/file`),
  ];
  names.push(...[98, 99, 100, 155].map((n) => `deep/${'e'.repeat(n)}/${'f'.repeat(n)}`), `${'ö'.repeat(49)}x/ß`);
  names.push(`${Array.from({ length: 60 }, (_, index) => `level${index}`).join('/')}/leaf`);

  const { path } = await build(craftZip(names.map((name, index) => ({ name, data: `content ${index}` }))));

  const out = join(folder, 'out');
  mkdirSync(out);
  execFileSync('tar', ['-xf', path, '-C', out, '--no-same-owner']);
  names.forEach((name, index) => assert.equal(readFileSync(join(out, name), 'utf8'), `content ${index}`));
  const script = 'import json, sys, tarfile; print(json.dumps(tarfile.open(sys.argv[1]).getnames()))';
  const listed = JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' })) as string[];
  assert.deepEqual(listed, names);
});

test('only a large tar is a file', async (t) => {
  const { build } = rig(t);
  const small = await build(craftZip([{ name: 'main.py', data: Buffer.alloc(250_000), isDeflated: true }]));
  const large = await build(craftZip([{ name: 'main.py', data: Buffer.alloc(1_000_000), isDeflated: true }]));

  assert.deepEqual([small.isInMemory, large.isInMemory], [true, false]);
  assert.equal(contentOf(large.path)[0]![3].length, 1_000_000);
});

test('a large tar that was begun is gone when its zip turns out to be damaged', async (t) => {
  const { refuse } = rig(t);
  const large = { name: 'large', data: Buffer.alloc(1_000_000), isDeflated: true };
  await refuse(
    craftZip([large, { name: 'damaged', data: 'x'.repeat(100), isDeflated: true, claimedBytes: 99 }]),
    'Package is refused: "damaged" is damaged.',
  );
});

test('what is no zip is refused', async (t) => {
  const { refuse } = rig(t);
  const zip = craftZip([{ name: 'main.py', data: 'x'.repeat(1000) }]);
  const notZips = [Buffer.alloc(0), Buffer.from('PK'), Buffer.from('not a zip'.repeat(100)), zip.subarray(0, -1)];

  for (const bytes of notZips) await refuse(bytes, 'Package is not a valid ZIP package.');
  await refuse(zip.subarray(500), 'Package is not a valid ZIP package.');
  await refuse(craftZip([{ name: 'a' }], { claimedEntries: 2 }), 'Package is not a valid ZIP package.');
});

test('offsets beyond all files are refused like any damage', async (t) => {
  const { refuse } = rig(t);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50);
  locator.fill(0xff, 8, 16);
  await refuse(Buffer.concat([Buffer.alloc(99), locator, end]), 'Package is not a valid ZIP package.');

  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50);
  record.writeUInt32LE(1, 32); // entries
  record.fill(0xff, 48, 56);
  const near = Buffer.alloc(20);
  near.writeUInt32LE(0x07064b50);
  await refuse(Buffer.concat([record, near, end]), 'Package is not a valid ZIP package.');
});

const BAD_NAMES: [string, string | Uint8Array][] = [
  ['climbs out', '../main.py'],
  ['climbs out later', 'a/../../main.py'],
  ['climbs, though not out', 'a/../main.py'],
  ['is absolute', '/etc/passwd'],
  ['has a backslash', 'a\\b.py'],
  ['has a drive letter', 'C:/main.py'],
  ['has a NUL', 'main.py\0.txt'],
  ['has a line end', 'main\n.py'],
  ['is empty', ''],
  ['is a dot', './'],
  ['is a slash', '/'],
  ['is longer than 1024 bytes', `${'a/'.repeat(600)}b`],
  ['has a part that no file system takes', 'n'.repeat(256)],
  ['has a long part in letters of two bytes', 'ö'.repeat(128)],
];
for (const [what, name] of BAD_NAMES) {
  test(`a name that ${what} is refused`, async (t) => {
    const { refuse } = rig(t);
    await refuse(craftZip([{ name: 'main.py' }, { name, data: 'x' }]), /^Package is refused: .{5,200}\.$/s);
  });
}

const BAD_ENTRIES: [string, CraftedEntry[], string][] = [
  ['links', [{ name: 'a', mode: LINK, data: '/etc' }], '"a" is a link or a special file.'],
  ['pipes', [{ name: 'a', mode: PIPE }], '"a" is a link or a special file.'],
  ['files that claim to be folders', [{ name: 'a', mode: 0o040755 }], '"a" is a link or a special file.'],
  ['links that look like folders', [{ name: 'a/', mode: LINK }], '"a/" is a link or a special file.'],
  ['encrypted entries', [{ name: 'a', flags: 1, data: 'x', isDeflated: true }], '"a" is encrypted.'],
  ['strongly encrypted entries', [{ name: 'a', flags: 0x41, data: 'x' }], 'it is encrypted.'],
  ['a file twice', [{ name: 'a' }, { name: './a' }], '"./a" is there twice.'],
  ['a file and a folder of one name', [{ name: 'a' }, { name: 'a/' }], '"a/" is there twice.'],
  ['a folder and a file of one name', [{ name: 'a/b' }, { name: 'a' }], '"a" is there twice.'],
  ['a file below a file', [{ name: 'a' }, { name: 'a/b/c' }], '"a/b/c" lies below a file.'],
  ['a method that we do not know', [{ name: 'a', method: 12, data: 'x' }], '"a" cannot be unpacked.'],
  ['a wrong checksum', [{ name: 'a', data: 'x', claimedCrc32: 1 }], '"a" is damaged.'],
  ['fewer bytes than claimed', [{ name: 'a', data: 'x', isDeflated: true, claimedBytes: 9 }], '"a" is damaged.'],
  ['more bytes than claimed', [{ name: 'a', data: 'xyz', isDeflated: true, claimedBytes: 2 }], '"a" is damaged.'],
  ['garbage for deflated bytes', [{ name: 'a', data: '\xff\xff\xff', method: 8 }], '"a" is damaged.'],
];
for (const [what, entries, text] of BAD_ENTRIES) {
  test(`an archive with ${what} is refused`, async (t) => {
    const { refuse } = rig(t);
    await refuse(craftZip(entries), `Package is refused: ${text}`);
  });
}

test('an archive without entries is refused', async (t) => {
  const { refuse } = rig(t);
  await refuse(craftZip([]), 'Package is refused: it is empty.');
});

test('a folder may be named any number of times', async (t) => {
  const { build } = rig(t);
  const { path } = await build(
    craftZip([{ name: 'a/b', data: 'x' }, ...Array<CraftedEntry>(3).fill({ name: 'a/', mode: 0o040755 })]),
  );
  assert.deepEqual(contentOf(path)[0], ['a/b', 'File', 0o644, 'x']);
});

test('more entries than the limit are refused, also folders that only paths tell of', async (t) => {
  const { build, refuse } = rig(t);
  const files = Array.from({ length: 101 }, (_, index) => ({ name: `f${index}` }));
  const deep = { name: `${'d/'.repeat(99)}file` };

  await refuse(craftZip(files), 'Package is refused: it has more than 100 entries.');
  await refuse(craftZip(files, { claimedEntries: 65_535 }), 'Package is refused: it has more than 100 entries.');
  await refuse(craftZip([{ name: 'x' }, deep]), 'Package is refused: it has more than 100 entries.');
  await build(craftZip([deep]));
  await build(craftZip(files.slice(1)));
});

test('an archive that claims to unpack to more than the limit is refused', async (t) => {
  const { refuse } = rig(t);
  const half = Buffer.alloc(2 * 1024 * 1024 + 1);
  const text = 'Package is refused: it unpacks to more than 4194304 bytes.';
  await refuse(craftZip(['a', 'b'].map((name) => ({ name, data: half, isDeflated: true }))), text);
  await refuse(craftZip([{ name: 'a', data: 'x', isDeflated: true, claimedBytes: 0xfffffff0 }]), text);
});

test('a bomb that claims to be small unpacks no further than it claims', async (t) => {
  const { refuse } = rig(t);
  const bomb = { name: 'bomb', data: Buffer.alloc(64 * 1024 * 1024), isDeflated: true, claimedBytes: 1000 };
  await refuse(craftZip([bomb]), 'Package is refused: "bomb" is damaged.');
});

test('the zip program and Python write archives that are taken', async (t) => {
  const { build, folder } = rig(t);
  const script = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open(zipfile.ZipInfo('main.py'), 'w', force_zip64=True) as f: f.write(b'def main(): return 1')
    z.writestr('ü/x.txt', 'x' * 5000)
    z.comment = b'made by a test'
`;
  const zipPath = join(folder, 'python.zip');
  execFileSync('python3', ['-c', script, zipPath]);

  const { path } = await build(readFileSync(zipPath));

  assert.deepEqual(
    contentOf(path).map(([name, , , content]) => [name, content.length]),
    [
      ['main.py', 20],
      ['ü/x.txt', 5000],
    ],
  );
  assert.ok(statSync(path).size % 512 === 0);
});

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import type { PackageKey, PackageStorage, StoredFile } from '../../gateway/storage/package-storage.ts';
import { emptyFolder } from '../support/folder.ts';

/** Opens an empty storage that is gone when the test is over. */
export type OpenStorage = (t: TestContext) => Promise<PackageStorage> | PackageStorage;

const MD5 = 'fe33f5e8bd37a2c3efb9e992ba2572cb';
const KEY: PackageKey = { projectId: 'default', functionId: '9e85c1f0-0000-4000-8000-000000000001', md5: MD5 };
const DIGEST = 'a'.repeat(64);

/** A file to give away. */
function fileOf(t: TestContext, content: string | Uint8Array): { path: string } {
  const path = join(emptyFolder(t), 'upload');
  writeFileSync(path, content);
  return { path };
}

async function contentOf(file: StoredFile | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const bytes = await buffer(file.stream);
  assert.equal(bytes.length, file.bytes);
  return bytes.toString('latin1');
}

/** What `gateway/storage/package-storage.ts` promises of every storage. */
export function packageStorageContract(name: string, open: OpenStorage): void {
  describe(`package storage contract: ${name}`, () => {
    test('an upload comes back byte for byte', async (t) => {
      const storage = await open(t);
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256));
      const file = fileOf(t, bytes);

      await storage.putZip(KEY, file);

      assert.ok(!existsSync(file.path), 'the file was taken over');
      assert.equal(await contentOf(await storage.openZip(KEY)), bytes.toString('latin1'));
      assert.equal(
        await storage.withZip(KEY, async (zip) => readFileSync(zip).toString('latin1')),
        bytes.toString('latin1'),
      );
    });

    test('what is in memory is kept like a file', async (t) => {
      const storage = await open(t);
      const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 37) % 256));

      await storage.putZip(KEY, { content });
      await storage.putTar(DIGEST, { content });
      await storage.putTar(DIGEST, { content }); // twice is no error

      assert.equal(await contentOf(await storage.openZip(KEY)), content.toString('latin1'));
      assert.equal(await contentOf(await storage.openTar(DIGEST)), content.toString('latin1'));
    });

    test('what is not there is undefined', async (t) => {
      const storage = await open(t);
      assert.equal(await storage.openZip(KEY), undefined);
      assert.equal(await storage.openTar(DIGEST), undefined);
      assert.equal(await storage.withZip(KEY, () => assert.fail('there is no zip')), undefined);
    });

    test('uploads of other projects, functions and contents are apart', async (t) => {
      const storage = await open(t);
      const keys = [
        KEY,
        { ...KEY, projectId: 'other' },
        { ...KEY, functionId: '9e85c1f0-0000-4000-8000-000000000002' },
        { ...KEY, md5: '0'.repeat(32) },
      ];
      for (const [index, key] of keys.entries()) await storage.putZip(key, fileOf(t, `upload ${index}`));

      await storage.deleteZip(keys[1]!);

      const contents = await Promise.all(keys.map(async (key) => contentOf(await storage.openZip(key))));
      assert.deepEqual(contents, ['upload 0', undefined, 'upload 2', 'upload 3']);
    });

    test('a project may have any name', async (t) => {
      const storage = await open(t);
      const names = ['..', '.', '../..', 'a/b', '/etc', 'a\\b', 'a b', 'ü', '%2E%2E', 'x'.repeat(80), 'ü'.repeat(80)];
      for (const projectId of names) await storage.putZip({ ...KEY, projectId }, fileOf(t, projectId));
      for (const projectId of names) {
        const content = await contentOf(await storage.openZip({ ...KEY, projectId }));
        assert.equal(content, Buffer.from(projectId).toString('latin1'));
      }
    });

    test('a tar is kept by its digest, apart from uploads', async (t) => {
      const storage = await open(t);
      await storage.putTar(DIGEST, fileOf(t, 'a tar'));
      await storage.putTar(DIGEST, fileOf(t, 'a tar')); // twice is no error

      assert.equal(await contentOf(await storage.openTar(DIGEST)), 'a tar');
      assert.equal(await storage.openTar('b'.repeat(64)), undefined);
      await storage.deleteTar(DIGEST);
      assert.equal(await storage.openTar(DIGEST), undefined);
    });

    test('what is deleted may be deleted again, and put again', async (t) => {
      const storage = await open(t);
      await storage.deleteTar(DIGEST);
      for (const content of ['first', 'second']) {
        await storage.putZip(KEY, fileOf(t, content));
        assert.equal(await contentOf(await storage.openZip(KEY)), content);
        await storage.deleteZip(KEY);
        await storage.deleteZip(KEY);
        assert.equal(await storage.openZip(KEY), undefined);
      }
    });

    test('what was opened is read to its end after it was deleted', async (t) => {
      const storage = await open(t);
      const content = 'x'.repeat(1_000_000);
      await storage.putZip(KEY, fileOf(t, content));
      const file = await storage.openZip(KEY);

      await storage.deleteZip(KEY);

      assert.equal(await contentOf(file), content);
    });

    test('a file that cannot be taken over leaves what was there', async (t) => {
      const storage = await open(t);
      await storage.putTar(DIGEST, fileOf(t, 'a tar'));

      await assert.rejects(storage.putTar(DIGEST, { path: join(emptyFolder(t), 'missing') }));

      assert.equal(await contentOf(await storage.openTar(DIGEST)), 'a tar');
    });
  });
}

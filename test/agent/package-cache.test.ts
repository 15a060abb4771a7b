import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { PackageCache } from '../../agent/package-cache.ts';
import { Header } from 'tar';
import { until } from '../support/fake-agent.ts';
import { emptyFolder } from '../support/folder.ts';

const BLOCK = 512;

type EntryType = 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'FIFO';

interface Entry {
  readonly path: string;
  readonly type?: EntryType;
  readonly content?: string;
  readonly linkpath?: string;
}

/** A tar of any entries, also of those that no gateway makes. */
function tarOf(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = 'File', content = '', linkpath = '' }) => {
    const bytes = Buffer.from(content);
    const header = new Header({ path, type, size: bytes.length, mode: 0o644, linkpath, mtime: new Date(0) });
    header.encode();
    return [header.block!, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A cache, and a gateway that serves what the test puts into `packages`. */
async function open(t: TestContext, maxBytes = 1_000_000, storeDirectory = '') {
  const packages = new Map<string, Buffer>();
  const requests: { readonly digest: string; readonly authorization: string | undefined }[] = [];
  let answer: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  const server = createServer((request, response) => {
    const digest = request.url!.replace('/packages/', '');
    requests.push({ digest, authorization: request.headers.authorization });
    if (answer?.(request, response) === true) return;
    const bytes = packages.get(digest);
    if (bytes === undefined) response.writeHead(404).end('{"faultstring": "no such package"}');
    else response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const token = () => 'secret';
  const warnings: string[] = [];
  const onWarning = (text: string) => void warnings.push(text);
  const directory = join(emptyFolder(t), 'packages');
  const cache = new PackageCache({
    directory,
    url: `http://127.0.0.1:${port}`,
    token,
    storeDirectory,
    maxBytes,
    onWarning,
  });
  t.after(async () => {
    await cache.close();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  const add = (entries: readonly Entry[]) => {
    const bytes = tarOf(entries);
    packages.set(digestOf(bytes), bytes);
    return digestOf(bytes);
  };
  return {
    cache,
    directory,
    packages,
    requests,
    add,
    setAnswer: (next: typeof answer) => (answer = next),
    cached: () => (existsSync(directory) ? readdirSync(directory) : []),
    warnings,
  };
}

/** One is unpacked as a whole, the other one as it comes. */
const SIZES: [string, number][] = [
  ['small', 1],
  ['large', 100_000],
];

const hello = (text: string): readonly Entry[] => [
  { path: 'main.py', content: text },
  { path: 'pkg/', type: 'Directory' },
  { path: 'pkg/ü.py', content: `${text}!` },
];

test('a package is fetched with the token, unpacked, and kept for the next time', async (t) => {
  const { cache, add, requests } = await open(t);
  const digest = add(hello('one'));
  const directory = await cache.take(digest);
  assert.equal(readFileSync(join(directory, 'main.py'), 'utf8'), 'one');
  assert.equal(readFileSync(join(directory, 'pkg/ü.py'), 'utf8'), 'one!');
  cache.giveBack(digest);
  assert.equal(await cache.take(digest), directory);
  assert.deepEqual(requests, [{ digest, authorization: 'Bearer secret' }]);
});

for (const [size, bytes] of SIZES) {
  test(`a ${size} package of the machine's own gateway is read from its files`, async (t) => {
    const store = emptyFolder(t);
    const { cache, requests, cached } = await open(t, 1_000_000, store);
    const tar = tarOf(hello('x'.repeat(bytes)));
    const path = join(store, `${digestOf(tar)}.tar`);
    writeFileSync(path, tarOf(hello('something else')));
    await assert.rejects(cache.take(digestOf(tar)), /does not have its digest/);
    assert.deepEqual(cached(), []);
    writeFileSync(path, tar);

    const directory = await cache.take(digestOf(tar));

    assert.equal(readFileSync(join(directory, 'pkg/ü.py'), 'utf8'), `${'x'.repeat(bytes)}!`);
    assert.deepEqual(requests, []);
  });

  test(`a ${size} package that is not among the gateway's files comes from the gateway`, async (t) => {
    const { cache, add, requests } = await open(t, 1_000_000, join(emptyFolder(t), 'missing'));
    const digest = add(hello('x'.repeat(bytes)));

    const directory = await cache.take(digest);

    assert.equal(readFileSync(join(directory, 'main.py'), 'utf8'), 'x'.repeat(bytes));
    assert.equal(requests.length, 1);
  });

  test(`a ${size} package is unpacked with every file, as the tar says`, async (t) => {
    const { cache, add } = await open(t);
    const files = Array.from({ length: 30 }, (_, index) => ({ path: `d${index % 3}/f${index}`, content: `${index}` }));
    const digest = add([{ path: 'main.py', content: 'x'.repeat(bytes) }, { path: 'empty', content: '' }, ...files]);

    const directory = await cache.take(digest);

    for (const { path, content } of files) assert.equal(readFileSync(join(directory, path), 'utf8'), content);
    assert.equal(readFileSync(join(directory, 'empty'), 'utf8'), '');
    assert.equal(lstatSync(join(directory, 'main.py')).size, bytes);
    assert.equal(lstatSync(join(directory, 'main.py')).mode & 0o777, 0o644);
    assert.equal(lstatSync(join(directory, 'main.py')).mtimeMs, 0);
  });
}

test('those that want a package together share one fetch', async (t) => {
  const { cache, add, requests } = await open(t);
  const [one, two] = [add(hello('one')), add(hello('two'))];
  const taken = await Promise.all([one, two, one, one, two].map((digest) => cache.take(digest)));
  assert.equal(new Set(taken).size, 2);
  assert.deepEqual(requests.map(({ digest }) => digest).sort(), [one, two].sort());
});

test('a package that has not its digest is refused, and leaves nothing', async (t) => {
  const { cache, add, packages, cached } = await open(t);
  const digest = add(hello('right'));
  packages.set(digest, tarOf(hello('wrong')));
  await assert.rejects(cache.take(digest), /does not have its digest/);
  assert.deepEqual(cached(), []);
  packages.set(digest, tarOf(hello('right')));
  assert.equal(readFileSync(join(await cache.take(digest), 'main.py'), 'utf8'), 'right', 'it is fetched again');
});

test('a name that is no digest is not asked for', async (t) => {
  const { cache, requests } = await open(t);
  for (const name of ['', '../../etc/passwd', 'a'.repeat(63), 'A'.repeat(64), `${'a'.repeat(64)}/..`]) {
    await assert.rejects(cache.take(name), /no sha256/);
  }
  assert.deepEqual(requests, []);
});

test('a package that the gateway does not give, or gives in part, is refused, and leaves nothing', async (t) => {
  const { cache, add, packages, setAnswer, cached } = await open(t);
  const digest = add(hello('x'.repeat(100_000)));
  await assert.rejects(cache.take('0'.repeat(64)), /answered 404/);
  setAnswer((request, response) => {
    response.writeHead(200, { 'Content-Length': packages.get(digest)!.length });
    response.write(packages.get(digest)!.subarray(0, 50_000), () => request.socket.destroy());
    return true;
  });
  await assert.rejects(cache.take(digest));
  setAnswer((_request, response) => {
    response.writeHead(200).end(packages.get(digest)!.subarray(0, 50_000)); // a whole answer of half a package
    return true;
  });
  await assert.rejects(cache.take(digest));
  setAnswer((request) => {
    request.socket.destroy();
    return true;
  });
  await assert.rejects(cache.take(digest));
  assert.deepEqual(cached(), []);
  setAnswer(undefined);
  assert.ok(existsSync(join(await cache.take(digest), 'main.py')));
});

test('bytes that are no tar are refused, and leave nothing', async (t) => {
  const { cache, packages, cached } = await open(t);
  for (const bytes of [
    Buffer.from('no tar at all'.repeat(200)),
    tarOf(hello('x')).subarray(0, 700),
    Buffer.alloc(600, 7),
  ]) {
    packages.set(digestOf(bytes), bytes);
    await assert.rejects(cache.take(digestOf(bytes)));
  }
  assert.deepEqual(cached(), []);
});

const OUTSIDE: [string, readonly Entry[]][] = [
  ['above the folder', [{ path: '../escaped', content: 'x' }]],
  ['at an absolute place', [{ path: '/tmp/qinling-test-escaped', content: 'x' }]],
  [
    'behind a link',
    [
      { path: 'link', type: 'SymbolicLink', linkpath: '..' },
      { path: 'link/escaped', content: 'x' },
    ],
  ],
  [
    'over a hard link',
    [
      { path: 'link', type: 'Link', linkpath: '../victim' },
      { path: 'link', content: 'x' },
    ],
  ],
];
for (const [where, entries] of OUTSIDE) {
  for (const [size, bytes] of SIZES)
    test(`a ${size} package writes nothing ${where}`, async (t) => {
      const { cache, directory, add } = await open(t);
      const digest = add([{ path: 'main.py', content: 'x'.repeat(bytes) }, ...entries]);
      await cache.take(digest).catch(() => undefined);
      assert.equal(existsSync(join(directory, 'escaped')), false);
      assert.equal(existsSync(join(directory, '..', 'escaped')), false);
      assert.equal(existsSync('/tmp/qinling-test-escaped'), false);
      for (const name of readdirSync(directory, { recursive: true })) {
        const file = lstatSync(join(directory, String(name)));
        assert.ok(file.isFile() || file.isDirectory(), `${String(name)} is neither file nor folder`);
      }
    });
}

test('packages that nobody uses go when there is no room, the one not used for longest first', async (t) => {
  const size = tarOf([{ path: 'main.py', content: 'x' }]).length;
  const { cache, add, requests, cached } = await open(t, 2 * size);
  const digests = ['a', 'b', 'c', 'd'].map((content) => add([{ path: 'main.py', content }]));
  const [a, b, c, d] = digests as [string, string, string, string];
  for (const digest of [a, b]) {
    await cache.take(digest);
    cache.giveBack(digest);
  }
  await cache.take(a); // used again, and from now on
  await cache.take(c);
  cache.giveBack(c); // one too many: b goes
  await until(() => cached().length === 2);
  assert.deepEqual(cached().sort(), [a, c].sort());
  await cache.take(d);
  cache.giveBack(d); // c goes: a is in use
  await until(() => cached().length === 2);
  assert.deepEqual(cached().sort(), [a, d].sort());
  assert.equal(readFileSync(join(await cache.take(b), 'main.py'), 'utf8'), 'b');
  assert.deepEqual(
    requests.map(({ digest }) => digest),
    [a, b, c, d, b],
  );
});

test('a package that goes while it is wanted again is fetched again', async (t) => {
  const { cache, add } = await open(t, 0);
  const digest = add(hello('x'));
  for (let round = 0; round < 50; round++) {
    const [first, second] = await Promise.all([cache.take(digest), cache.take(digest)]);
    assert.equal(readFileSync(join(first, 'main.py'), 'utf8'), 'x');
    assert.equal(second, first);
    cache.giveBack(digest);
    cache.giveBack(digest);
  }
});

test('packages that somebody else removed are told of, and fetched again', async (t) => {
  const { cache, add, directory, warnings } = await open(t, 0);
  const [one, two] = [add(hello('one')), add(hello('two'))];
  await Promise.all([cache.take(one), cache.take(two)]);
  rmSync(directory, { recursive: true });
  cache.giveBack(one);
  cache.giveBack(two);
  assert.ok(existsSync(join(await cache.take(one), 'main.py')));
  assert.equal(warnings.length, 2);
});

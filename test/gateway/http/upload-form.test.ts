import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import type { Form } from '../../../gateway/http/upload-form.ts';
import { until } from '../../support/fake-agent.ts';
import { route, startHttpServer, type HttpRigOptions } from '../../support/http-rig.ts';
import { bytesOf } from '../../support/file-source.ts';

const MAX_FILE_BYTES = 100_000;

/** A route that shows the form, and the bytes of its files while they are there. */
async function open(t: TestContext, options: HttpRigOptions = {}) {
  const forms: Form[] = [];
  const rig = await startHttpServer(
    t,
    [
      route('POST', '/form', async (exchange) => {
        const form = await exchange.form();
        forms.push(form);
        const files = [...form.files].map(([name, { source, fileName, bytes, md5 }]) => {
          const content = bytesOf(source);
          assert.deepEqual([content.length, createHash('md5').update(content).digest('hex')], [bytes, md5]);
          return [name, fileName, content.toString('base64')];
        });
        exchange.sendJson(200, { fields: [...form.fields], files });
      }),
    ],
    { maxFileBytes: MAX_FILE_BYTES, ...options },
  );
  const connection = await rig.connect();
  const post = async (type: string, body: string | Uint8Array) => {
    connection.request(`POST /form HTTP/1.1\nContent-Type: ${type}`, body);
    return connection.answer();
  };
  /** Parts with their heads as given. */
  const multipart = (...parts: readonly (readonly [head: string, body: string | Uint8Array])[]) => {
    const pieces = parts.flatMap(([head, body]) => [
      Buffer.from(`--b\r\n${head.replaceAll('\n', '\r\n')}\r\n\r\n`),
      Buffer.from(body as string),
      Buffer.from('\r\n'),
    ]);
    return post('multipart/form-data; boundary=b', Buffer.concat([...pieces, Buffer.from('--b--\r\n')]));
  };
  return { ...rig, forms, post, multipart };
}

const field = (name: string) => `Content-Disposition: form-data; name="${name}"`;
const file = (name: string, fileName = 'p.zip') => `${field(name)}; filename="${fileName}"`;
const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes as string).toString('base64');

test('the parts of a form may come in any order, with or without a type', async (t) => {
  const { multipart, received } = await open(t);
  const zip = randomBytes(1_000);
  const code = '{"source": "package"}';
  const expected = { fields: [['code', code]], files: [['package', 'p.zip', base64(zip)]] };

  const last = await multipart([field('code'), code], [file('package'), zip]);
  const first = await multipart(
    [`${file('package')}\nContent-Type: application/zip`, zip],
    [`${field('code')}\nContent-Type: text/plain; charset=utf-8`, code],
  );

  assert.deepEqual([last.json, first.json], [expected, expected]);
  await until(() => received().length === 0, 'the removal of the uploads');
});

test('files come with the names that clients give them', async (t) => {
  const { multipart } = await open(t);
  for (const name of ['p.zip', 'main.zip', 'package', 'ü.zip', 'with space', '../../etc/passwd', 'a/b\\c']) {
    const { json } = await multipart([file('package', name), 'x']);
    const [[, seen]] = json['files'] as [string, string][] as [[string, string]];
    assert.equal(seen, name.split(/[/\\]/).at(-1), name);
  }
  const { json } = await multipart([`${field('package')}; filename*=UTF-8''%C3%BC.zip`, 'x']);
  assert.deepEqual(json['files'], [['package', 'ü.zip', base64('x')]]);
});

test('a file part without a name of its file, but with the type of bytes, is a file', async (t) => {
  const { multipart } = await open(t);
  const { json } = await multipart([`${field('package')}\nContent-Type: application/octet-stream`, 'x']);
  assert.deepEqual(json, { fields: [], files: [['package', '', base64('x')]] });
});

test('a small file is held in memory, a larger one is on disk', async (t) => {
  const { multipart, forms, received } = await open(t, { maxHeldBytes: 1_000 });
  for (const bytes of [0, 1, 1_000, 1_001, 50_000]) {
    const { status } = await multipart([file('package'), randomBytes(bytes)]);
    assert.equal(status, 200);
    assert.equal('content' in forms.at(-1)!.files.get('package')!.source, bytes <= 1_000);
  }
  await until(() => received().length === 0, 'the removal of the uploads');
});

test('files that find no room in memory go to disk', async (t) => {
  const { multipart, forms, received } = await open(t, {
    maxHeldBytes: 32 * 1024 * 1024,
    maxFileBytes: 32 * 1024 * 1024,
  });
  for (let round = 0; round < 3; round++) {
    const { status } = await multipart([file('package'), Buffer.alloc(17 * 1024 * 1024)]);
    assert.equal(status, 200);
    assert.ok('path' in forms.at(-1)!.files.get('package')!.source);
    await multipart([file('package'), Buffer.alloc(9 * 1024 * 1024)]); // finds room each time: it was given back
    assert.ok('content' in forms.at(-1)!.files.get('package')!.source);
  }
  await until(() => received().length === 0, 'the removal of the uploads');
});

test('an empty file is a file', async (t) => {
  const { multipart } = await open(t);
  const { json } = await multipart([file('package'), '']);
  assert.deepEqual(json, { fields: [], files: [['package', 'p.zip', '']] });
});

test('what looks like a boundary inside of a file is part of the file', async (t) => {
  const { multipart } = await open(t);
  const tricky = 'x--b--\r\n\r\n--\r\n-b--\r\n--a--\r\n--B--\r\n --b\r\n\r\n';
  const { json } = await multipart([file('package'), tricky], [field('after'), 'x']);
  assert.deepEqual(json, { fields: [['after', 'x']], files: [['package', 'p.zip', base64(tricky)]] });
});

test('the later of two parts of one name counts, and the earlier file goes', async (t) => {
  const { multipart, received, forms } = await open(t);
  const { json } = await multipart(
    [file('package'), 'one'],
    [field('n'), '1'],
    [file('package'), 'two'],
    [field('n'), '2'],
  );
  assert.deepEqual(json, { fields: [['n', '2']], files: [['package', 'p.zip', base64('two')]] });
  await until(() => received().length === 0);
  assert.equal(forms[0]!.files.size, 1);
});

test('text of a form is UTF-8, in either encoding', async (t) => {
  const { multipart, post } = await open(t);
  const { json } = await multipart([field('näme'), 'wört 🙂 + & ='], [field('empty'), '']);
  assert.deepEqual(json['fields'], [
    ['näme', 'wört 🙂 + & ='],
    ['empty', ''],
  ]);
  const encoded = await post(
    'application/x-www-form-urlencoded',
    'a=b+c%20d%26&%C3%BC=%F0%9F%99%82&empty=&bare&a%3Db=1',
  );
  assert.deepEqual(encoded.json['fields'], [
    ['a', 'b c d&'],
    ['ü', '🙂'],
    ['empty', ''],
    ['bare', ''],
    ['a=b', '1'],
  ]);
});

test('a form may be a JSON object', async (t) => {
  const { post } = await open(t);
  const { json } = await post('application/json; charset=utf-8', '{"code": {"source": "package"}, "cpu": null}');
  assert.deepEqual(json, {
    fields: [
      ['code', { source: 'package' }],
      ['cpu', null],
    ],
    files: [],
  });
  assert.equal((await post('application/json', '[]')).status, 400);
});

test('a form of another type is refused, nothing is an empty form', async (t) => {
  const { post, connect } = await open(t);
  for (const type of ['text/plain', 'application/zip', 'multipart/mixed; boundary=b', 'application/jsonp']) {
    const { status, json } = await post(type, 'x');
    assert.deepEqual([status, json['faultstring']], [415, `Unknown mimetype: ${type.replace(/;.*/, '')}`]);
  }
  const connection = await connect();
  connection.request('POST /form HTTP/1.1', '');
  assert.deepEqual((await connection.answer()).json, { fields: [], files: [] });
});

const BROKEN: [string, string, string][] = [
  ['has no boundary', 'multipart/form-data', '--b--'],
  ['has an empty boundary', 'multipart/form-data; boundary=', '--b--'],
  ['is empty', 'multipart/form-data; boundary=b', ''],
  ['has no part', 'multipart/form-data; boundary=b', 'hello'],
  ['ends in a head', 'multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="x"\r\n'],
  ['ends in a file', 'multipart/form-data; boundary=b', `--b\r\n${file('package')}\r\n\r\nabc`],
  ['ends in a text', 'multipart/form-data; boundary=b', `--b\r\n${field('code')}\r\n\r\nabc`],
  ['ends before its last boundary', 'multipart/form-data; boundary=b', `--b\r\n${file('package')}\r\n\r\nabc\r\n--b`],
];
for (const [what, type, body] of BROKEN) {
  test(`a multipart form that ${what} is refused, and leaves no file`, async (t) => {
    const { post, received, faults } = await open(t);
    const { status, json } = await post(type, body);
    assert.deepEqual([status, json['faultcode']], [400, 'Client']);
    await until(() => received().length === 0);
    assert.deepEqual(faults, []);
  });
}

test('a file is taken up to the limit, and not beyond', async (t) => {
  const { multipart, received } = await open(t);
  const whole = await multipart([file('package'), Buffer.alloc(MAX_FILE_BYTES)]);
  assert.equal(whole.status, 200);
  for (const over of [1, 10_000, 1_000_000]) {
    const { status, json } = await multipart([file('package'), Buffer.alloc(MAX_FILE_BYTES + over)], [field('n'), 'v']);
    assert.equal(status, 413);
    assert.equal(json['faultstring'], `The request body is larger than the limit of ${MAX_FILE_BYTES} bytes.`);
  }
  await until(() => received().length === 0);
});

test('a chunked upload that is too large is refused while it comes, and leaves no file', async (t) => {
  const { connect, received } = await open(t);
  const connection = await connect();
  connection.request('POST /form HTTP/1.1\nContent-Type: multipart/form-data; boundary=b\nTransfer-Encoding: chunked');
  const chunk = (text: string) => connection.send(`${text.length.toString(16)}\r\n${text}\r\n`);
  chunk(`--b\r\n${file('package')}\r\n\r\n`);
  for (let sent = 0; sent <= MAX_FILE_BYTES; sent += 10_000) chunk('x'.repeat(10_000));
  assert.equal((await connection.answer()).status, 413);
  await until(() => received().length === 0);
});

test('the number and the size of fields are bounded', async (t) => {
  const { multipart, post, received } = await open(t);
  const refusals = [
    await multipart(...Array.from({ length: 101 }, (_, index) => [field(`n${index}`), 'v'] as const)),
    await multipart(...Array.from({ length: 5 }, (_, index) => [file(`n${index}`), 'v'] as const)),
    await post('application/x-www-form-urlencoded', Array.from({ length: 101 }, (_, index) => `n${index}=v`).join('&')),
    await multipart([field('code'), 'x'.repeat(1024 * 1024 + 1)]),
    await post('application/x-www-form-urlencoded', `code=${'x'.repeat(1024 * 1024 + 1)}`),
    await post('application/x-www-form-urlencoded', `${'n'.repeat(300)}=v`),
    await multipart([`${field('n')}\nX: ${'x'.repeat(20_000)}`, 'v']),
  ];
  for (const [index, { status, json }] of refusals.entries()) {
    assert.equal(status, 400, String(index));
    assert.match(String(json['faultstring']), /too many parts|too long|not readable/);
  }
  const large = ['a', 'b', 'c', 'd', 'e'].map((name) => [field(name), 'x'.repeat(1024 * 1024 - 1)] as const);
  assert.equal((await multipart(...large)).status, 413);
  assert.equal((await multipart([field('code'), 'x'.repeat(1024 * 1024 - 1)])).status, 200);
  await until(() => received().length === 0);
});

test('a disk that takes no file is a fault of ours, that says no path', async (t) => {
  const { multipart, directory, faults } = await open(t);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, 'no folder');
  const { status, text } = await multipart([file('package'), 'x']);
  assert.equal(status, 500);
  assert.equal(text, '{"faultcode":"Server","faultstring":"The upload could not be stored.","debuginfo":null}');
  assert.equal(faults.length, 1);
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyFolder } from '../../support/folder.ts';
import { route, startHttpServer, type HttpRigOptions } from '../../support/http-rig.ts';
import { hasPrograms, runProgram } from '../../support/tools.ts';

const LIMIT = 1_000;
const JSON_TYPE = 'Content-Type: application/json';

/** Routes that give back what they read. */
function open(t: TestContext, options: HttpRigOptions = {}) {
  const routes = [
    route('POST', '/json', async (exchange) => exchange.sendJson(200, await exchange.json('thing'))),
    route('POST', '/body', async (exchange) => exchange.send(200, await exchange.body(), 'text/plain')),
    route('POST', '/none', (exchange) => exchange.send(202)),
    route('GET', '/get', (exchange) => exchange.sendJson(200, 'got')),
    route('POST', '/form', async (exchange) => {
      const { fields, files } = await exchange.form();
      const sizes = [...files].map(([name, { bytes, md5 }]) => [name, bytes, md5]);
      exchange.sendJson(200, { fields: [...fields], files: sizes });
    }),
  ];
  return startHttpServer(t, routes, { maxBodyBytes: LIMIT, maxFileBytes: 100_000, ...options });
}

const BAD_JSON: [string, string, string, number, string][] = [
  ['no JSON', JSON_TYPE, '{', 400, 'Request is not in valid JSON format'],
  ['two values', JSON_TYPE, '{}{}', 400, 'Request is not in valid JSON format'],
  ['an array', JSON_TYPE, '[1]', 400, 'Request body must be a JSON object'],
  ['null', JSON_TYPE, 'null', 400, 'Request body must be a JSON object'],
  ['a text', JSON_TYPE, '"x"', 400, 'Request body must be a JSON object'],
  ['nothing', JSON_TYPE, '', 400, 'Missing argument: "thing"'],
  ['a form', 'Content-Type: application/x-www-form-urlencoded', 'name=x&b=c', 400, 'Unknown argument: "name"'],
  ['a text type', 'Content-Type: text/plain; charset=utf-8', '{}', 415, 'Unknown mimetype: text/plain'],
  ['an XML type', 'Content-Type: Application/XML', '<a/>', 415, 'Unknown mimetype: application/xml'],
];
for (const [what, type, body, status, faultstring] of BAD_JSON) {
  test(`a JSON resource refuses ${what}`, async (t) => {
    const connection = await (await open(t)).connect();
    connection.request(`POST /json HTTP/1.1\n${type}`, body);
    const answer = await connection.answer();
    const fault = { faultcode: 'Client', faultstring, debuginfo: null };
    assert.deepEqual([answer.status, answer.json], [status, fault]);
  });
}

test('a JSON body may come with any spelling of its type, and without one', async (t) => {
  const connection = await (await open(t)).connect();
  for (const type of ['Application/JSON', 'application/json;charset=UTF-8', 'application/json ; x=y', '']) {
    connection.request(`POST /json HTTP/1.1\n${type === '' ? 'X: y' : `Content-Type: ${type}`}`, '{"a": "ü"}');
    assert.deepEqual((await connection.answer()).json, { a: 'ü' }, type);
  }
});

test('what has no body is not asked for one, whatever its type says', async (t) => {
  const connection = await (await open(t)).connect();
  const headers = `${JSON_TYPE}\nX-Auth-Token: notused\nAccept: application/xml`;
  connection.request(`GET /get HTTP/1.1\n${headers}`);
  assert.equal((await connection.answer()).text, '"got"');
  connection.request(`POST /none HTTP/1.1\n${headers}`, '');
  assert.equal((await connection.answer()).status, 202);
  connection.request('POST /none HTTP/1.1', '{"not": "read"}');
  assert.equal((await connection.answer()).status, 202);
  connection.request('GET /get HTTP/1.1', '{"not": "read"}');
  assert.equal((await connection.answer()).status, 200);
});

test('a body is taken up to the limit, and not beyond', async (t) => {
  const connection = await (await open(t)).connect();
  const ofLength = (length: number) => JSON.stringify({ x: 'x'.repeat(length - '{"x":""}'.length) });
  connection.request(`POST /json HTTP/1.1\n${JSON_TYPE}`, ofLength(LIMIT));
  assert.equal((await connection.answer()).status, 200);
  for (const path of ['/json', '/body']) {
    connection.request(`POST ${path} HTTP/1.1\n${JSON_TYPE}`, ofLength(LIMIT + 1));
    const { status, json } = await connection.answer();
    assert.equal(status, 413);
    assert.equal(json['faultstring'], `The request body is larger than the limit of ${LIMIT} bytes.`);
  }
});

test('a body that is declared too large is refused before it comes', async (t) => {
  const { connect } = await open(t);
  for (const [path, type] of [
    ['/json', 'application/json'],
    ['/body', 'text/plain'],
    ['/form', 'multipart/form-data; boundary=b'],
    ['/form', 'application/x-www-form-urlencoded'],
  ]) {
    const connection = await connect();
    connection.send(`POST ${path} HTTP/1.1\nHost: localhost\nContent-Type: ${type}\nContent-Length: 99999999\n\n`);
    assert.equal((await connection.answer()).status, 413, `${path} ${type}`);
  }
});

test('a chunked body is taken in any cuts, up to the limit', async (t) => {
  const connection = await (await open(t)).connect();
  const body = Buffer.from(JSON.stringify({ text: 'ü'.repeat(200) }));
  for (const size of [1, 2, 7, 100, 1_000]) {
    connection.request(`POST /json HTTP/1.1\n${JSON_TYPE}\nTransfer-Encoding: chunked`);
    for (let at = 0; at < body.length; at += size) {
      const piece = body.subarray(at, at + size);
      connection.send(`${piece.length.toString(16)}\n`);
      connection.sendBytes(piece);
      connection.send('\n');
    }
    connection.send('0\n\n');
    assert.deepEqual((await connection.answer()).json, { text: 'ü'.repeat(200) });
  }
  connection.request(`POST /json HTTP/1.1\n${JSON_TYPE}\nTransfer-Encoding: chunked`);
  connection.send(`${(LIMIT + 1).toString(16)}\n${'x'.repeat(LIMIT + 1)}\n`);
  assert.equal((await connection.answer()).status, 413, 'at once: the end of the body is not waited for');
});

test('a body of declared length is taken in any cuts', async (t) => {
  const { connect } = await open(t, { maxBodyBytes: 1_000_000 });
  const text = 'ü'.repeat(100_000);
  const body = Buffer.from(JSON.stringify({ text }));
  for (const size of [3, 1_000, 64 * 1024, body.length - 1]) {
    const connection = await connect();
    connection.send(`POST /json HTTP/1.1\nHost: localhost\n${JSON_TYPE}\nContent-Length: ${body.length}\n\n`);
    for (let at = 0, pieces = 0; at < body.length; pieces++) {
      const end = pieces < 20 ? at + size : body.length; // each in a turn of its own, the rest at once
      connection.sendBytes(body.subarray(at, end));
      await connection.flushed();
      await new Promise(setImmediate);
      at = end;
    }
    assert.equal((await connection.answer()).json['text'], text);
  }
});

test('a client that waits for our word before its body is told to go on', async (t) => {
  const connection = await (await open(t)).connect();
  const head = `Host: localhost\nExpect: 100-continue`;
  for (let times = 0; times < 2; times++) {
    connection.send(`POST /json HTTP/1.1\n${head}\n${JSON_TYPE}\nContent-Length: 9\n\n`);
    const interim = await connection.answer();
    assert.deepEqual([interim.statusLine, interim.headers.size], ['HTTP/1.1 100 Continue', 0]);
    connection.send('{"a": 12}');
    const { status, json, headers } = await connection.answer();
    assert.deepEqual([status, json, headers.get('content-type')], [200, { a: 12 }, 'application/json']);
  }
  connection.send(`POST /json HTTP/1.1\n${head}\n${JSON_TYPE}\nTransfer-Encoding: chunked\n\n`);
  assert.equal((await connection.answer()).status, 100);
  connection.send('2\n{}\n0\n\n');
  assert.deepEqual((await connection.answer()).json, {});
  const form = '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nv\r\n--b--\r\n';
  const formHead = `Content-Type: multipart/form-data; boundary=b\nContent-Length: ${form.length}`;
  connection.send(`POST /form HTTP/1.1\n${head}\n${formHead}\n\n`);
  assert.equal((await connection.answer()).status, 100);
  connection.send(form);
  assert.deepEqual((await connection.answer()).json, { fields: [['n', 'v']], files: [] });
  connection.send(`POST /json HTTP/1.1\n${head}\n${JSON_TYPE}\nContent-Length: 1\n\n`);
  assert.equal((await connection.answer()).status, 100);
  connection.send('x');
  const refused = await connection.answer();
  assert.deepEqual([refused.status, refused.statusLine], [400, 'HTTP/1.1 400 Bad Request']);
  connection.request('GET /get HTTP/1.1');
  assert.equal((await connection.answer()).status, 200);
});

test('a client that waits for our word hears of a refusal at once, and its connection lives on', async (t) => {
  const connection = await (await open(t)).connect();
  const requests = [
    [`POST /json HTTP/1.1\n${JSON_TYPE}\nContent-Length: 1001`, 413],
    ['POST /form HTTP/1.1\nContent-Type: text/plain\nContent-Length: 1001', 415],
    ['POST /unknown HTTP/1.1\nContent-Length: 1001', 404],
    ['PUT /json HTTP/1.1\nContent-Length: 1001', 405],
    ['POST /json HTTP/1.1\nOrigin: https://evil.example\nContent-Length: 1001', 403],
    ['POST /none HTTP/1.1\nContent-Length: 1001', 202],
  ] as const;
  for (const [head, status] of requests) {
    connection.send(`${head}\nHost: localhost\nExpect: 100-continue\n\n`);
    assert.equal((await connection.answer()).status, 100);
    assert.equal((await connection.answer()).status, status, head);
    connection.send('x'.repeat(1001));
    connection.request('GET /get HTTP/1.1');
    assert.equal((await connection.answer()).text, '"got"');
  }
});

test('a client that waits in a spelling of its own is answered when its body is there, and its connection ends', async (t) => {
  const { connect } = await open(t);
  const head = `POST /json HTTP/1.1\nHost: localhost\nExpect: 100-Continue\n${JSON_TYPE}`;
  const patient = await connect();
  patient.send(`${head}\nContent-Length: 2\n\n{}`);
  assert.equal((await patient.answer()).status, 200);
  assert.equal(await patient.ended(), '');
  const refused = await connect();
  refused.send(`${head}\nContent-Length: 1001\n\n`);
  assert.equal((await refused.answer()).status, 413);
  assert.equal(await refused.ended(), '');
});

test('curl sends a large upload, invited or not, and hears of one that is too large', async (t) => {
  if (!hasPrograms(t, { curl: 'curl' })) return;
  const { url } = await open(t, { maxFileBytes: 4_000_000 });
  const file = join(emptyFolder(t), 'package');
  writeFileSync(file, randomBytes(3_000_000));
  const large = `${file}.large`;
  writeFileSync(large, Buffer.alloc(5_000_000));
  const curl = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runProgram('curl', ['-sS', '-w', '\n%{http_code}', ...args, `${url}/form`]);
    assert.equal(code, 0, stderr);
    return stdout.split('\n');
  };
  for (const more of [[], ['-H', 'Expect: 100-continue'], ['-H', 'Expect:'], ['-H', 'Transfer-Encoding: chunked']]) {
    const [text, status] = await curl(...more, '-F', 'name=x', '-F', `package=@${file}`);
    const body = JSON.parse(text!) as { fields: unknown; files: [string, number, string][] };
    assert.deepEqual([status, body.fields, body.files[0]![1]], ['200', [['name', 'x']], 3_000_000], more.join(' '));
    const [refusal, code] = await curl(...more, '-F', `package=@${large}`);
    assert.deepEqual([code, JSON.parse(refusal!).faultcode], ['413', 'Client'], more.join(' '));
  }
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startResourceServer } from '../../support/resource-server.ts';
import { functionRecord } from '../../support/store-records.ts';
import { zipOf } from '../../support/zip.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const ZIP = zipOf({ 'main.py': 'def main(): return 1' });
const MD5 = createHash('md5').update(ZIP).digest('hex');

test('a function is created as the command-line client does it', async (t) => {
  const { sendForm, runtimeId, received } = await startResourceServer(t);

  const { status, json, headers } = await sendForm('POST', '/v1/functions', {
    runtime_id: runtimeId,
    package: ZIP,
    code: JSON.stringify({ source: 'package', md5sum: MD5 }),
    name: 'github_test',
    timeout: '5',
  });

  assert.equal(status, 201, JSON.stringify(json));
  assert.equal(headers.get('content-type'), 'application/json');
  assert.match(json['id'] as string, UUID);
  assert.match(json['created_at'] as string, TIME);
  assert.deepEqual(Object.entries(json), [
    ['id', json['id']],
    ['name', 'github_test'],
    ['description', null],
    ['cpu', 100],
    ['memory_size', 33_554_432],
    ['timeout', 5],
    ['runtime_id', runtimeId],
    ['code', { source: 'package', md5sum: MD5 }],
    ['entry', 'main.main'],
    ['count', 0],
    ['latest_version', 0],
    ['project_id', 'default'],
    ['created_at', json['created_at']],
    ['updated_at', null],
  ]);
  assert.deepEqual(received(), []);
});

test('a function is created as the quick start of 2017 does it', async (t) => {
  const { sendForm, runtimeId } = await startResourceServer(t);
  const code = '{"package": "true"}';

  const { status, json } = await sendForm('POST', '/v1/functions', {
    name: 'github_test',
    runtime_id: runtimeId,
    code,
    package: ZIP,
    memory: '33000000',
    source: 'package',
  });

  assert.equal(status, 201);
  assert.deepEqual(json['code'], { package: 'true', source: 'package', md5sum: MD5 });
  assert.equal(json['memory_size'], 33_554_432);
});

const BAD_FORMS: [string, Record<string, string | Uint8Array>, string | RegExp][] = [
  ['without code', { package: ZIP }, "Required param is missing. Required: {'code'}"],
  [
    'with code that is nested too deeply',
    { code: `{"a": ${'['.repeat(5_000)}${']'.repeat(5_000)}}`, package: ZIP },
    'The JSON value is nested too deeply.',
  ],
  ['with code that is no JSON', { code: '{', package: ZIP }, 'The attribute code is not valid JSON.'],
  ['with a runtime that is no id', { code: '{}', package: ZIP, runtime_id: 'x' }, /^Invalid input .*runtime_id\./],
  ['with an empty runtime', { code: '{}', package: ZIP, runtime_id: '' }, '"runtime_id" must be specified.'],
  ['with a long entry', { code: '{}', package: ZIP, entry: 'e'.repeat(81) }, /^Invalid input .*attribute entry\./],
  ['with text for a package', { code: '{}', package: 'text' }, /^The attribute package must be a file part/],
  ['without a package', { code: '{"source": "package"}' }, 'The file part package is missing.'],
  ['with a wrong checksum', { code: '{}', package: ZIP, md5sum: 'x' }, 'Package md5 mismatch.'],
  ['with no zip', { code: '{}', package: Buffer.from('x') }, 'Package is not a valid ZIP package.'],
];
for (const [what, fields, message] of BAD_FORMS) {
  test(`a function ${what} is refused, and its upload goes`, async (t) => {
    const { sendForm, runtimeId, received, files } = await startResourceServer(t);
    const { status, json } = await sendForm('POST', '/v1/functions', { runtime_id: runtimeId, ...fields });
    assert.equal(status, 400);
    assert.equal(json['faultcode'], 'Client');
    if (typeof message === 'string') assert.equal(json['faultstring'], message);
    else assert.match(json['faultstring'] as string, message);
    while (received().length > 0) await new Promise(setImmediate); // removed after the answer
    assert.deepEqual(files(), []);
  });
}

test('urlencoded and JSON bodies are read like forms', async (t) => {
  const { send, sendJson, runtimeId } = await startResourceServer(t);
  const fields = { runtime_id: runtimeId, name: 'x', timeout: '5', code: '{"source": "image", "image": "i"}' };
  const message = 'Image functions are not supported by this deployment.';

  const encoded = await send('POST', '/v1/functions', { body: new URLSearchParams(fields) });
  const json = await sendJson('POST', '/v1/functions', { ...fields, timeout: 5, code: { image: 'i' }, cpu: null });
  const swift = await sendJson('POST', '/v1/functions', { ...fields, code: { source: 'swift', swift: {} } });

  assert.deepEqual([encoded.status, encoded.json['faultstring']], [400, message]);
  assert.deepEqual([json.status, json.json['faultstring']], [400, message]);
  assert.deepEqual([swift.status, swift.json['faultstring']], [400, 'Swift object not supported.']);
});

test('a list shows code as JSON text in the style of Python, one function shows it as an object', async (t) => {
  const { send, create } = await startResourceServer(t);
  const empty = await send('GET', '/v1/functions');
  const record = await create('x', { code: { package: 'ü' }, description: 'd' });

  const one = await send('GET', `/v1/functions/${record.id}`);
  const list = await send('GET', '/v1/functions?all_projects=true&project_id=neq:x');

  assert.deepEqual(empty.json, { functions: [] });
  const md5 = record.code['md5sum'] as string;
  assert.deepEqual(one.json['code'], { package: 'ü', source: 'package', md5sum: md5 });
  const text = `{"package": "\\u00fc", "source": "package", "md5sum": "${md5}"}`;
  assert.deepEqual(list.json, { functions: [{ ...one.json, code: text }] });
  assert.equal((await send('GET', '/v1/functions?name=x')).json['faultstring'], 'Unknown argument: "name"');
});

test('a list of more functions than a page is whole', async (t) => {
  const { send, store, create } = await startResourceServer(t);
  const record = await create();
  const ids = Array.from({ length: 1_100 }, (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`);
  await Promise.all(ids.map((id) => store.functions.insert({ ...record, id })));

  const { json } = await send('GET', '/v1/functions');

  const listed = (json['functions'] as { id: string }[]).map(({ id }) => id);
  assert.deepEqual(listed.sort(), [...ids, record.id].sort());
});

test('a download gives the very bytes that were uploaded', async (t) => {
  const { url, sendForm, runtimeId } = await startResourceServer(t);
  const { json } = await sendForm('POST', '/v1/functions', { runtime_id: runtimeId, code: '{}', package: ZIP });
  const id = json['id'] as string;

  for (const download of ['true', 'True', '1', 'yes', 'on', 't', 'Y']) {
    const answer = await fetch(`${url}/v1/functions/${id}?download=${download}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/zip');
    assert.equal(answer.headers.get('content-disposition'), `attachment; filename="${id}"`);
    assert.equal(answer.headers.get('content-length'), String(ZIP.length));
    assert.equal(answer.headers.get('content-encoding'), null);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), ZIP);
  }
  for (const query of ['?download=false', '?download=', '?download=maybe', '']) {
    const answer = await fetch(`${url}/v1/functions/${id}${query}`);
    assert.equal(((await answer.json()) as { id: string }).id, id);
  }
});

test('a function is changed by a form, by an urlencoded body and by JSON', async (t) => {
  const { send, sendForm, sendJson, create, changes, received } = await startResourceServer(t);
  const { id } = await create('old');
  const path = `/v1/functions/${id}`;

  const form = await sendForm('PUT', path, { entry: 'main.other', source: 'package', package: ZIP });
  assert.deepEqual([form.status, form.json['entry']], [200, 'main.other']);
  assert.deepEqual(form.json['code'], { source: 'package', md5sum: MD5 });
  const encoded = await send('PUT', path, {
    body: new URLSearchParams({ name: 'new', description: '', timeout: '7' }),
  });
  const { name, description, timeout } = encoded.json;
  assert.deepEqual([name, description, timeout], ['new', '', 7]);
  const json = await sendJson('PUT', path, { cpu: '200', memory_size: 67_108_864, timeout: null, name: null });
  assert.deepEqual([json.json['cpu'], json.json['memory_size'], json.json['timeout']], [200, 67_108_864, 7]);
  assert.match(json.json['updated_at'] as string, TIME);

  assert.deepEqual(changes, [`${id}!`, id, `${id}!`]);
  assert.deepEqual(received(), []);
});

test('a change of what the client lost on its way changes nothing', async (t) => {
  const { send, create } = await startResourceServer(t);
  const { id } = await create();
  const path = `/v1/functions/${id}`;
  const before = await send('GET', path);

  const body = new URLSearchParams('source=swift&swift=container&swift=object&runtime_id=&count=9');
  const { status, json } = await send('PUT', path, { body });

  assert.equal(status, 200);
  assert.deepEqual(json, before.json);
});

test('a change that breaks a rule is refused', async (t) => {
  const { sendForm, create } = await startResourceServer(t);
  const { id, code } = await create('old');
  const md5 = code['md5sum'] as string;
  const bad: [Record<string, string | Uint8Array>, string][] = [
    [{ code: '{"source": "swift"}' }, 'The function code type can not be changed.'],
    [{ code: JSON.stringify({ md5sum: md5 }), package: ZIP }, 'The function code checksum is not changed.'],
    [{ code: '{"md5sum": "x"}', package: ZIP }, 'Package md5 mismatch.'],
    [{ timeout: '0' }, 'timeout resource limitation not within the allowable range: 1 ~ 300(seconds).'],
  ];
  for (const [fields, message] of bad) {
    const { status, json } = await sendForm('PUT', `/v1/functions/${id}`, fields);
    assert.deepEqual([status, json['faultstring']], [400, message]);
  }
});

test('what is held by a job, or has no code of its own, is refused by its text', async (t) => {
  const { sendForm, sendJson, create, holders, store } = await startResourceServer(t);
  const { id } = await create('old');
  const image = functionRecord({ code: { source: 'image', image: 'i' }, packageDigest: null, entry: null });
  await store.functions.insert(image);
  const held = () => Promise.resolve(true);
  const texts = { ofFunction: 'running job(s)', ofVersion: 'running job(s)', ofAlias: 'running job(s)' };
  holders.unshift({ ...texts, holdsCode: true, hasFunction: held, hasVersion: held, hasAlias: held });

  const refused: Record<string, string | Uint8Array>[] = [
    { cpu: '200' },
    { memory_size: '67108864' },
    { entry: 'main.other' },
    { package: ZIP },
  ];
  for (const fields of refused) {
    const { status, json } = await sendForm('PUT', `/v1/functions/${id}`, fields);
    assert.deepEqual([status, json['faultstring']], [403, 'The function is still associated with running job(s).']);
  }
  const free = await sendJson('PUT', `/v1/functions/${id}`, { name: 'new', description: 'd', timeout: 7 });
  assert.deepEqual([free.status, free.json['name'], free.json['timeout']], [200, 'new', 7]);
  const gone = await sendJson('DELETE', `/v1/functions/${id}`, {});
  assert.deepEqual(
    [gone.status, gone.json['faultstring']],
    [403, 'The function is still associated with running job(s).'],
  );
  holders.shift();
  const ofImage = await sendJson('PUT', `/v1/functions/${image.id}`, { entry: 'main.main' });
  const text = 'The image type function code can not be changed.';
  assert.deepEqual([ofImage.status, ofImage.json['faultstring']], [400, text]);
});

test('a deleted function is gone', async (t) => {
  const { send, create, files } = await startResourceServer(t);
  const { id } = await create();

  const gone = await send('DELETE', `/v1/functions/${id}`);

  assert.deepEqual([gone.status, gone.text], [204, '']);
  const missing = await send('GET', `/v1/functions/${id}`);
  assert.deepEqual([missing.status, missing.json['faultstring']], [404, `Function not found [id=${id}]`]);
  assert.deepEqual(files(), []);
});

test('an id that is none is refused, an unknown one is not found', async (t) => {
  const { send, sendJson } = await startResourceServer(t);
  const statuses = async (id: string) => [
    (await send('GET', `/v1/functions/${id}`)).status,
    (await send('GET', `/v1/functions/${id}?download=true`)).status,
    (await send('DELETE', `/v1/functions/${id}`)).status,
    (await sendJson('PUT', `/v1/functions/${id}`, { name: 'x' })).status,
  ];
  assert.deepEqual(await statuses(UNKNOWN), [404, 404, 404, 404]);
  assert.deepEqual(await statuses('x'), [400, 400, 400, 400]);
});

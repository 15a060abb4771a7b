import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import { request } from '../../support/functions-rig.ts';
import { startResourceServer } from '../../support/resource-server.ts';
import { functionRecord } from '../../support/store-records.ts';
import { zipOf } from '../../support/zip.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

/** A server with a function, and the path of its versions. */
async function startWithFunction(t: Parameters<typeof startResourceServer>[0], content = 'one') {
  const server = await startResourceServer(t);
  const { id } = await server.create(content);
  const path = `/v1/functions/${id}/versions`;
  const change = (next: string) =>
    server.functions.update(ANYBODY, id, request({ upload: server.upload({ 'main.py': next }) }));
  const publish = () => server.sendJson('POST', path, {});
  return { ...server, id, path, change, publish };
}

test('a version is published, shown and listed', async (t) => {
  const { id, path, sendJson, send, change } = await startWithFunction(t);
  assert.deepEqual((await send('GET', path)).json, { function_versions: [] });

  const { status, json, headers } = await sendJson('POST', path, { description: 'first' });

  assert.equal(status, 201, JSON.stringify(json));
  assert.equal(headers.get('content-type'), 'application/json');
  assert.match(json['id'] as string, UUID);
  assert.match(json['created_at'] as string, TIME);
  assert.deepEqual(Object.entries(json), [
    ['id', json['id']],
    ['function_id', id],
    ['version_number', 1],
    ['description', 'first'],
    ['count', 0],
    ['project_id', 'default'],
    ['created_at', json['created_at']],
    ['updated_at', null],
  ]);
  await change('two');
  const second = await sendJson('POST', path, { description: null });
  assert.deepEqual([second.json['version_number'], second.json['description']], [2, null]);
  assert.deepEqual((await send('GET', `${path}/1`)).json, json);
  assert.deepEqual((await send('GET', `${path}/`)).json, { function_versions: [json, second.json] });
  assert.equal((await send('GET', `/v1/functions/${id}`)).json['latest_version'], 2);
});

test('a download gives the bytes that were uploaded before the version was published', async (t) => {
  const { id, path, url, publish, change } = await startWithFunction(t);
  await publish();
  await change('two');

  const answer = await fetch(`${url}${path}/1?download=true`);

  const zip = zipOf({ 'main.py': 'one' });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'application/zip');
  assert.equal(answer.headers.get('content-disposition'), `attachment; filename="${id}_1"`);
  assert.equal(answer.headers.get('content-length'), String(zip.length));
  assert.equal(answer.headers.get('content-encoding'), null);
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), zip);
  const shown = await fetch(`${url}${path}/1?download=no`);
  assert.equal(((await shown.json()) as { version_number: number }).version_number, 1);
});

test('a deleted version is gone, and the latest number stays', async (t) => {
  const { id, path, send, publish, change } = await startWithFunction(t);
  await publish();

  const gone = await send('DELETE', `${path}/1`);

  assert.deepEqual([gone.status, gone.text], [204, '']);
  const missing = await send('GET', `${path}/1`);
  const text = `FunctionVersion not found [function_id=${id}, version_number=1]`;
  assert.deepEqual([missing.status, missing.json['faultstring']], [404, text]);
  await change('two');
  assert.equal((await publish()).json['version_number'], 2);
});

test('a version does not change', async (t) => {
  const { path, sendJson, publish } = await startWithFunction(t);
  await publish();

  for (const method of ['PUT', 'PATCH', 'POST']) {
    const { status, headers, json } = await sendJson(method, `${path}/1`, { description: 'x' });
    assert.equal(status, 405);
    assert.equal(json['faultcode'], 'Client');
    assert.equal(headers.get('allow'), 'GET, DELETE, HEAD');
  }
});

const BAD_BODIES: [string, unknown, string | RegExp][] = [
  ['no object', [], 'Request body must be a JSON object'],
  ['an unknown attribute', { name: 'x' }, 'Unknown attribute for argument function_version: name'],
  ['an id', { id: UNKNOWN }, /^Invalid input for field\/attribute id\. .* Cannot set read only field\.$/],
  ['a number', { version_number: null }, /attribute version_number\. .* Cannot set read only field\.$/],
  ['a function', { function_id: UNKNOWN }, /attribute function_id\. .* Cannot set read only field\.$/],
  ['a count', { count: 1 }, /attribute count\. .* Cannot set read only field\.$/],
  ['a wrong type', { description: 1 }, /attribute description\. Value: '1'\. Wrong type\./],
  ['a long text', { description: 'd'.repeat(256) }, /attribute description\. .* maximum length of 255\.$/],
];
for (const [what, body, message] of BAD_BODIES) {
  test(`a version of ${what} is refused`, async (t) => {
    const { path, sendJson, send } = await startWithFunction(t);
    const { status, json } = await sendJson('POST', path, body);
    assert.equal(status, 400);
    assert.equal(json['faultcode'], 'Client');
    if (typeof message === 'string') assert.equal(json['faultstring'], message);
    else assert.match(json['faultstring'] as string, message);
    assert.deepEqual((await send('GET', path)).json, { function_versions: [] });
  });
}

test('a body is needed, and must be JSON', async (t) => {
  const { path, send } = await startWithFunction(t);
  const headers = { 'Content-Type': 'application/json' };

  const none = await send('POST', path);
  const broken = await send('POST', path, { headers, body: '{' });
  const other = await send('POST', path, { headers: { 'Content-Type': 'text/xml' }, body: '<x/>' });

  assert.deepEqual([none.status, none.json['faultstring']], [400, 'Missing argument: "function_version"']);
  assert.deepEqual([broken.status, broken.json['faultstring']], [400, 'Request is not in valid JSON format']);
  assert.deepEqual([other.status, other.json['faultstring']], [415, 'Unknown mimetype: text/xml']);
});

test('a publication that breaks a rule is refused', async (t) => {
  const { id, publish, change, store, sendJson, aliases, send } = await startWithFunction(t, '1');
  const image = functionRecord({ code: { source: 'image', image: 'i' }, packageDigest: null });
  await store.functions.insert(image);
  const refused = async (reply: ReturnType<typeof publish>, text: string) => {
    const { status, json } = await reply;
    assert.deepEqual([status, json['faultstring']], [403, text]);
  };

  const onlyPackages = 'Function versioning only allowed for package type function.';
  await refused(sendJson('POST', `/v1/functions/${image.id}/versions`, {}), onlyPackages);
  assert.equal((await publish()).status, 201);
  await refused(publish(), 'Function package not changed since the latest version 1.');
  for (let number = 2; number <= 10; number++) {
    await change(String(number));
    assert.equal((await publish()).status, 201);
  }
  await change('11');
  await refused(publish(), 'Can not exceed maximum number(10) of versions');
  await aliases.create(ANYBODY, { name: 'live', functionId: id, functionVersion: 4, description: null });
  const inUse = 'The function version is still associated with alias.';
  await refused(send('DELETE', `/v1/functions/${id}/versions/4`), inUse);
});

test('ids and numbers that are none are refused, unknown ones are not found', async (t) => {
  const { id, send, sendJson } = await startWithFunction(t);
  const statusesOf = async (functionId: string, number: string) => {
    const path = `/v1/functions/${functionId}/versions`;
    const replies = [
      await send('GET', `${path}/${number}`),
      await send('GET', `${path}/${number}?download=true`),
      await send('DELETE', `${path}/${number}`),
    ];
    return replies.map(({ status, json }) => `${status} ${json['faultstring'] as string}`);
  };
  const three = (text: string) => [text, text, text];
  const badId = `400 Invalid input for field/attribute id. Value: 'x'. Value should be UUID format.`;
  const badNumber = (value: string) =>
    `400 Invalid input for field/attribute version_number. Value: '${value}'. Wrong type. Expected an integer.`;
  const missing = (number: string) => `404 FunctionVersion not found [function_id=${id}, version_number=${number}]`;

  assert.deepEqual(await statusesOf('x', '1'), three(badId));
  for (const value of ['abc', '1.5', '1e1', '99999999999999999']) {
    assert.deepEqual(await statusesOf(id, value), three(badNumber(value)));
  }
  assert.deepEqual(await statusesOf(UNKNOWN, '1'), three(`404 Function not found [id=${UNKNOWN}]`));
  for (const number of ['0', '1', '-1']) assert.deepEqual(await statusesOf(id, number), three(missing(number)));
  const paths = [`/v1/functions/${UNKNOWN}/versions`, '/v1/functions/x/versions'];
  const lists = await Promise.all(paths.map((path) => send('GET', path)));
  const creations = await Promise.all(paths.map((path) => sendJson('POST', path, {})));
  assert.deepEqual(
    lists.map(({ status }) => status),
    [404, 400],
  );
  assert.deepEqual(
    creations.map(({ status }) => status),
    [404, 400],
  );
});

test('a list takes no arguments but those of pages', async (t) => {
  const { path, send } = await startWithFunction(t);
  const { status, json } = await send('GET', `${path}?function_version=1`);
  assert.deepEqual([status, json['faultstring']], [400, 'Unknown argument: "function_version"']);
});

test('an id in capitals is the same', async (t) => {
  const { id, publish, send } = await startWithFunction(t);
  await publish();
  assert.equal((await send('GET', `/v1/functions/${id.toUpperCase()}/versions/1`)).json['function_id'], id);
});

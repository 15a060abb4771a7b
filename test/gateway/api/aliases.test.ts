import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import { ALIAS } from '../../../gateway/api/resources/alias.ts';
import { readBody } from '../../../gateway/api/resources/declaration.ts';
import { startResourceServer } from '../../support/resource-server.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

async function startWithFunction(t: TestContext) {
  const server = await startResourceServer(t);
  const { id } = await server.create();
  const make = (name: string, functionId = id, change = {}) =>
    server.sendJson('POST', '/v1/aliases', { name, function_id: functionId, function_version: 0, ...change });
  return { ...server, id, make };
}

test('an alias is created, shown and listed as the command-line client does it', async (t) => {
  const { id, make, send } = await startWithFunction(t);
  assert.deepEqual((await send('GET', '/v1//aliases')).json, { function_aliases: [] });

  const { status, json, headers } = await make('live', id, { description: '' });

  assert.equal(status, 201, JSON.stringify(json));
  assert.equal(headers.get('content-type'), 'application/json');
  assert.match(json['id'] as string, UUID);
  assert.match(json['created_at'] as string, TIME);
  assert.deepEqual(Object.entries(json), [
    ['id', json['id']],
    ['name', 'live'],
    ['function_id', id],
    ['function_version', 0],
    ['description', ''],
    ['project_id', 'default'],
    ['created_at', json['created_at']],
    ['updated_at', null],
  ]);
  assert.deepEqual((await send('GET', '/v1/aliases/live')).json, json);
  assert.deepEqual((await send('GET', '/v1/aliases?all_projects=true&project_id=x')).json, {
    function_aliases: [json],
  });
});

test('an alias is moved by numbers and by text; what is null stays, and a name is ignored', async (t) => {
  const { id, make, sendJson, versions } = await startWithFunction(t);
  await versions.create(ANYBODY, id, null);
  await make('live', id, { description: 'd' });
  const put = async (body: object) => (await sendJson('PUT', '/v1/aliases/live', body)).json;

  const moved = await put({ function_id: null, function_version: '1', description: null });
  assert.deepEqual([moved['function_id'], moved['function_version'], moved['description']], [id, 1, 'd']);
  assert.match(moved['updated_at'] as string, TIME);
  const back = await put({ function_id: id.toUpperCase(), function_version: 0, name: 'ignored' });
  assert.deepEqual([back['name'], back['function_id'], back['function_version']], ['live', id, 0]);
  assert.equal((await put({ description: 'new' }))['description'], 'new');
  assert.equal((await put({}))['description'], 'new');
});

test('a deleted alias is gone', async (t) => {
  const { make, send } = await startWithFunction(t);
  await make('live');

  const gone = await send('DELETE', '/v1/aliases/live');

  assert.deepEqual([gone.status, gone.text], [204, '']);
  const missing = await send('GET', '/v1/aliases/live');
  assert.deepEqual([missing.status, missing.json['faultstring']], [404, 'FunctionAlias not found [name=live]']);
});

const REQUIRED = "Required param is missing. Required: {'name', 'function_id'}";
const onePart = (name: string) =>
  `Invalid input for field/attribute name. Value: '${name}'. Value should be one part of a path.`;
const BAD_BODIES: [string, object, string | RegExp][] = [
  ['without a name', { name: undefined }, REQUIRED],
  ['with a name that is null', { name: null }, REQUIRED],
  ['without a function', { function_id: undefined }, REQUIRED],
  ['without a name that means anything', { name: '' }, onePart('')],
  ['with a slash in its name', { name: 'a/b' }, onePart('a/b')],
  ['with a name that paths resolve', { name: '..' }, onePart('..')],
  ['with a name that is a number', { name: 7 }, /attribute name\. Value: '7'\. Wrong type\. Expected a string\.$/],
  ['with a long name', { name: 'n'.repeat(256) }, /attribute name\. .* maximum length of 255\.$/],
  ['with a long description', { description: 'd'.repeat(256) }, /attribute description\. .* maximum length of 255\.$/],
  ['of what is no id', { function_id: 'x' }, /attribute function_id\. Value: 'x'\. Value should be UUID format\.$/],
  ['of no number', { function_version: 'x' }, /attribute function_version\. Value: 'x'\. Wrong type\./],
  ['of a negative number', { function_version: -1 }, /attribute function_version\. Value: '-1'\. .* 0 or more\.$/],
  ['with an id', { id: UNKNOWN }, /attribute id\. .* Cannot set read only field\.$/],
  ['with a project', { project_id: null }, /attribute project_id\. .* Cannot set read only field\.$/],
  ['with an unknown attribute', { alias: 'x' }, 'Unknown attribute for argument function_alias: alias'],
];
for (const [what, change, message] of BAD_BODIES) {
  test(`an alias ${what} is refused`, async (t) => {
    const { make, send, id } = await startWithFunction(t);
    const { status, json } = await make('x', id, change);
    assert.equal(status, 400);
    assert.equal(json['faultcode'], 'Client');
    if (typeof message === 'string') assert.equal(json['faultstring'], message);
    else assert.match(json['faultstring'] as string, message);
    assert.deepEqual((await send('GET', '/v1/aliases')).json, { function_aliases: [] });
  });
}

test('what points nowhere, or is there already, is refused', async (t) => {
  const { id, make, create, sendJson } = await startWithFunction(t);
  const other = await create('other');
  await make('live');
  await make('other', other.id);
  const put = (body: object) => sendJson('PUT', '/v1/aliases/other', body);
  const noFunction = `Function not found [id=${UNKNOWN}]`;
  const noVersion = (functionId: string) => `FunctionVersion not found [function_id=${functionId}, version_number=1]`;
  const duplicate = (columns: string) => `Duplicate entry for function_aliases: [${columns}]`;
  const sameName = duplicate(`'project_id', 'name'`);
  const sameTarget = duplicate(`'project_id', 'function_id', 'function_version'`);
  const refused: [Promise<{ status: number; json: Record<string, unknown> }>, number, string][] = [
    [make('new', UNKNOWN), 404, noFunction],
    [make('new', id, { function_version: 1 }), 404, noVersion(id)],
    [make('live', other.id), 400, sameName],
    [make('new', id), 400, sameTarget],
    [put({ function_id: UNKNOWN }), 404, noFunction],
    [put({ function_version: 1 }), 404, noVersion(other.id)],
    [put({ function_id: id }), 400, sameTarget],
    [
      put({ function_version: '-1' }),
      400,
      `Invalid input for field/attribute function_version. Value: '-1'. Value should be 0 or more.`,
    ],
    [
      put({ project_id: 'x' }),
      400,
      `Invalid input for field/attribute project_id. Value: 'x'. Cannot set read only field.`,
    ],
    [sendJson('PUT', '/v1/aliases/unknown', {}), 404, 'FunctionAlias not found [name=unknown]'],
    [sendJson('DELETE', '/v1/aliases/unknown', {}), 404, 'FunctionAlias not found [name=unknown]'],
  ];
  for (const [reply, status, text] of refused) {
    const { status: given, json } = await reply;
    assert.deepEqual([given, json['faultstring']], [status, text]);
  }
});

test('an alias holds its function and its version', async (t) => {
  const { id, make, send, versions } = await startWithFunction(t);
  await versions.create(ANYBODY, id, null);
  await make('live', id, { function_version: 1 });

  const version = await send('DELETE', `/v1/functions/${id}/versions/1`);
  const all = await send('DELETE', `/v1/functions/${id}`);

  const ofVersion = 'The function version is still associated with alias.';
  const ofFunction = 'The function is still associated with function alias(es).';
  assert.deepEqual([version.status, version.json['faultstring']], [403, ofVersion]);
  assert.deepEqual([all.status, all.json['faultstring']], [403, ofFunction]);
});

test('a body is needed', async (t) => {
  const { send, make } = await startWithFunction(t);
  await make('live');
  for (const [method, path] of [
    ['POST', '/v1/aliases'],
    ['PUT', '/v1/aliases/live'],
  ] as const) {
    const { status, json } = await send(method, path);
    assert.deepEqual([status, json['faultstring']], [400, 'Missing argument: "function_alias"']);
  }
});

test('a list takes arguments of projects only', async (t) => {
  const { send } = await startWithFunction(t);
  const unknown = await send('GET', '/v1/aliases?name=live');
  const noBoolean = await send('GET', '/v1/aliases?all_projects=maybe');
  assert.deepEqual([unknown.status, unknown.json['faultstring']], [400, 'Unknown argument: "name"']);
  assert.equal(noBoolean.status, 400);
});

test('a list of more aliases than a page is whole', async (t) => {
  const { send, store } = await startWithFunction(t);
  const names = Array.from({ length: 1_100 }, (_, index) => `alias ${String(index).padStart(4, '0')}`);
  const common = { projectId: 'default', functionVersion: 0, description: null, updatedAt: null };
  const records = names.map((name, index) => ({ ...common, id: name, name, functionId: name, createdAt: index }));
  await Promise.all(records.map((record) => store.aliases.insert(record)));

  const { json } = await send('GET', '/v1/aliases');

  assert.deepEqual(
    (json['function_aliases'] as { name: string }[]).map(({ name }) => name),
    names,
  );
});

test('an alias of any name that is taken is reached by it, percent-encoded', async (t) => {
  const { id, make, send } = await startWithFunction(t);
  const names = [
    'a b',
    '50%',
    '%2F',
    'ä/'.slice(0, 1),
    '日本',
    '😀',
    'a?b#c',
    ' ',
    '...',
    '.a',
    '"\\\n\0',
    '+',
    'a:b,c',
  ];
  for (const name of names) {
    const path = `/v1/aliases/${encodeURIComponent(name)}`;
    assert.equal((await make(name)).status, 201, name);
    assert.equal((await send('GET', path)).json['name'], name);
    assert.equal((await send('DELETE', path)).status, 204);
  }
  assert.equal((await make('free', id)).status, 201);
});

test('a name that is taken is one part of a path, whatever it is', () => {
  const base = 'http://host/v1/aliases/';
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 3 }), fc.stringMatching(/^[./%a]{0,3}$/)),
      (name) => {
        try {
          readBody(ALIAS, { name }, 'create');
        } catch {
          return; // refused
        }
        const { pathname } = new URL(base + encodeURIComponent(name));
        assert.equal(decodeURIComponent(pathname.slice('/v1/aliases/'.length)), name);
      },
    ),
  );
});

test('half a character is no name', async (t) => {
  const { make } = await startWithFunction(t);
  for (const name of ['\ud800', 'a\udc00', '\udc00\ud800']) assert.equal((await make(name)).status, 400);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminOf } from '../../support/access.ts';
import { runtimeRecord } from '../../support/store-records.ts';
import { startResourceServer } from '../../support/resource-server.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

test('a runtime is created as the quick start of 2017 does it', async (t) => {
  const { sendJson, orchestrator } = await startResourceServer(t);
  orchestrator.isWilling = false;

  const { status, json, headers } = await sendJson('POST', '/v1/runtimes', {
    name: 'python2.7',
    image: 'DOCKER_USER/python-runtime',
  });

  assert.equal(status, 201);
  assert.equal(headers.get('content-type'), 'application/json');
  assert.match(json['id'] as string, UUID);
  assert.match(json['created_at'] as string, TIME);
  assert.deepEqual(Object.entries(json), [
    ['id', json['id']],
    ['name', 'python2.7'],
    ['image', 'DOCKER_USER/python-runtime'],
    ['description', null],
    ['is_public', true],
    ['trusted', true],
    ['status', 'creating'],
    ['project_id', 'default'],
    ['created_at', json['created_at']],
    ['updated_at', null],
  ]);
});

test('every attribute may be given, nulls are the same as nothing', async (t) => {
  const { sendJson } = await startResourceServer(t);
  const given = { image: 'x', name: null, description: 'words', is_public: 'false', trusted: 0 };

  const { json } = await sendJson('POST', '/v1/runtimes', given);

  const shown = [json['name'], json['description'], json['is_public'], json['trusted']];
  assert.deepEqual(shown, [null, 'words', false, false]);
});

const MISSING = "Required param is missing. Required: {'image'}";
const BAD_BODIES: [string, unknown, string | RegExp][] = [
  ['without an image', { name: 'x' }, MISSING],
  ['with null for an image', { image: null }, MISSING],
  ['with an empty image', { image: '' }, MISSING],
  ['with a number for an image', { image: 1 }, /^Invalid input for field\/attribute image\. Value: '1'\. Wrong type\./],
  ['with a long name', { image: 'x', name: 'n'.repeat(256) }, /^Invalid input for field\/attribute name\./],
  ['with no boolean', { image: 'x', is_public: 'maybe' }, /^Invalid input for field\/attribute is_public\./],
  [
    'with an id',
    { image: 'x', id: UNKNOWN },
    /^Invalid input for field\/attribute id\..*Cannot set read only field\.$/,
  ],
  ['with a status', { image: 'x', status: null }, /^Invalid input for field\/attribute status\./],
  [
    'with an unknown attribute',
    { image: 'x', 'is_public:': true },
    'Unknown attribute for argument runtime: is_public:',
  ],
];
for (const [what, body, message] of BAD_BODIES) {
  test(`a runtime ${what} is refused`, async (t) => {
    const { sendJson } = await startResourceServer(t);
    const { status, json } = await sendJson('POST', '/v1/runtimes', body);
    assert.equal(status, 400);
    assert.deepEqual(Object.keys(json), ['faultcode', 'faultstring', 'debuginfo']);
    if (typeof message === 'string') assert.equal(json['faultstring'], message);
    else assert.match(json['faultstring'] as string, message);
  });
}

test('runtimes are listed and shown', async (t) => {
  const { send, runtimeId } = await startResourceServer(t);

  const list = await send('GET', '/v1/runtimes');
  const one = await send('GET', `/v1/runtimes/${runtimeId.toUpperCase()}/`);

  assert.equal(one.status, 200);
  assert.equal(one.json['id'], runtimeId);
  assert.deepEqual(list.json, { runtimes: [one.json] });
  assert.equal((await send('GET', '/v1/runtimes?name=x')).json['faultstring'], 'Unknown argument: "name"');
});

test('an id that is none is refused, an unknown one is not found', async (t) => {
  const { send, sendJson } = await startResourceServer(t);
  const requests = [
    ['GET', ''],
    ['GET', '/pool'],
    ['DELETE', ''],
  ] as const;
  for (const [method, rest] of requests) {
    assert.equal((await send(method, `/v1/runtimes/${UNKNOWN}${rest}`)).status, 404);
    assert.equal((await send(method, `/v1/runtimes/x${rest}`)).status, 400);
  }
  assert.equal((await sendJson('PUT', `/v1/runtimes/${UNKNOWN}`, { name: 'x' })).status, 404);
  const { json } = await sendJson('PUT', '/v1/runtimes/x', { name: 'x' });
  assert.match(json['faultstring'] as string, /^Invalid input for field\/attribute id\. Value: 'x'\./);
});

test('a change shows at once; what cannot be changed is ignored', async (t) => {
  const { sendJson, runtimeId, orchestrator } = await startResourceServer(t);
  orchestrator.isWilling = false;
  const path = `/v1/runtimes/${runtimeId}`;

  const named = await sendJson('PUT', path, { name: 'new', is_public: false, trusted: false, description: null });
  assert.equal(named.status, 200);
  assert.deepEqual([named.json['name'], named.json['is_public'], named.json['trusted']], ['new', true, true]);
  assert.match(named.json['updated_at'] as string, TIME);

  const image = await sendJson('PUT', path, { image: 'two' });
  assert.deepEqual([image.json['status'], image.json['image']], ['upgrading', 'two']);
  const again = await sendJson('PUT', path, { image: 'two' });
  assert.deepEqual([again.status, again.json['faultstring']], [409, `Runtime ${runtimeId} is not available.`]);
  assert.equal((await sendJson('PUT', path, { image: '' })).status, 400);
});

test('a runtime in use stays, another one goes', async (t) => {
  const { send, runtimeId, create, functions } = await startResourceServer(t);
  const record = await create();
  const path = `/v1/runtimes/${runtimeId}`;

  const refused = await send('DELETE', path);
  assert.deepEqual([refused.status, refused.json['faultstring']], [403, `Runtime ${runtimeId} is still in use.`]);

  await functions.delete(adminOf('default'), record.id);
  const gone = await send('DELETE', path);
  assert.deepEqual([gone.status, gone.text], [204, '']);
});

test('the pool shows its workers', async (t) => {
  const { send, runtimeId } = await startResourceServer(t);
  const { json } = await send('GET', `/v1/runtimes/${runtimeId}/pool`);
  assert.deepEqual(json, { name: runtimeId, capacity: { total: 3, available: 2 } });
});

test('a runtime in error says why', async (t) => {
  const { send, store, runtimes } = await startResourceServer(t);
  const record = runtimeRecord({ status: 'error', statusReason: 'No such image.' });
  await store.runtimes.insert(record);
  await runtimes.start();

  const { json } = await send('GET', `/v1/runtimes/${record.id}`);

  assert.deepEqual([json['status'], json['status_reason']], ['error', 'No such image.']);
});

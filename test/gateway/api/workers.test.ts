import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import { startExecutionServer } from '../../support/execution-server.ts';
import { until } from '../../support/fake-agent.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

/** A function with one version, on an agent of four workers. */
async function startWithVersion(t: TestContext) {
  const server = await startExecutionServer(t, { workerCount: 4 });
  const { id } = await server.create();
  await server.versions.create(ANYBODY, id, null);
  const path = `/v1/functions/${id}`;
  const listed = async (query = '') => {
    const { status, json } = await server.send('GET', `${path}/workers${query}`);
    assert.equal(status, 200, JSON.stringify(json));
    return json['workers'] as Record<string, unknown>[];
  };
  const loaded = () => until(() => server.agent.link.bindCount === 0, 'the loads');
  return { ...server, id, path, listed, loaded };
}

test('workers are added, listed, taken away and detached', async (t) => {
  const { id, path, send, sendJson, listed, loaded } = await startWithVersion(t);
  assert.deepEqual(await listed(), []);

  const up = await sendJson('POST', `${path}/scale_up`, { count: 3 });
  assert.deepEqual([up.status, up.text, up.headers.get('content-length')], [202, '', '0']);
  assert.equal(up.headers.get('content-type'), null);
  await loaded();
  const names = ['fake-0', 'fake-1', 'fake-2'];
  const rows = names.map((worker_name) => ({ function_id: id, function_version: 0, worker_name }));
  assert.deepEqual(await listed(), rows);
  const down = await sendJson('POST', `${path}/scale_down`, { count: '2' });
  assert.deepEqual([down.status, down.text], [202, '']);
  assert.equal((await listed()).length, 1);
  const detached = await send('POST', `${path}/detach`);
  assert.deepEqual([detached.status, detached.text], [202, '']);
  assert.deepEqual(await listed(), []);
});

test('a version has workers of its own; number 0 is the function itself', async (t) => {
  const { id, path, send, sendJson, listed, loaded } = await startWithVersion(t);

  await sendJson('POST', `${path}/versions/1/scale_up`, { count: 2 });
  await sendJson('POST', `${path}/versions/0/scale_up`, { count: 2 });
  await loaded();
  const ofVersion = await listed('?function_version=1');
  assert.deepEqual(
    ofVersion.map((row) => [row['function_id'], row['function_version']]),
    [
      [id, 1],
      [id, 1],
    ],
  );
  assert.equal((await listed('?function_version=0')).length, 2);
  assert.equal((await sendJson('POST', `${path}/versions/1/scale_down`, { count: 1 })).status, 202);
  assert.equal((await sendJson('POST', `${path}/versions/0/scale_down`, { count: 1 })).status, 202);
  assert.deepEqual([(await listed('?function_version=1')).length, (await listed()).length], [1, 1]);
  assert.equal((await send('POST', `${path}/versions/1/detach`)).status, 202);
  assert.deepEqual([(await listed('?function_version=1')).length, (await listed()).length], [0, 1]);
  assert.equal((await send('POST', `${path}/versions/0/detach`)).status, 202);
  assert.deepEqual(await listed(), []);
});

test('a slash before the arguments of the list does not count', async (t) => {
  const { path, send } = await startWithVersion(t);
  assert.deepEqual((await send('GET', `${path}/workers/?function_version=1`)).json, { workers: [] });
});

test('the workers of what is not there are none', async (t) => {
  const { listed, send } = await startWithVersion(t);
  assert.deepEqual((await send('GET', `/v1/functions/${UNKNOWN}/workers`)).json, { workers: [] });
  assert.deepEqual(await listed('?function_version=9'), []);
});

test('more workers than there are is no error', async (t) => {
  const { path, sendJson, listed, loaded } = await startWithVersion(t);

  assert.equal((await sendJson('POST', `${path}/scale_up`, { count: 1_000_000 })).status, 202);
  await loaded();
  assert.equal((await listed()).length, 4);
  assert.equal((await sendJson('POST', `${path}/scale_up`, { count: 1 })).status, 202);

  await loaded();
  assert.equal((await listed()).length, 4);
});

const wrongCount = (value: string, why: string) => `Invalid input for field/attribute count. Value: '${value}'. ${why}`;
const BAD_COUNTS: [unknown, string][] = [
  [{}, "Required param is missing. Required: {'count'}"],
  [{ count: null }, "Required param is missing. Required: {'count'}"],
  [{ count: 0 }, wrongCount('0', 'Value should be 1 or more.')],
  [{ count: '-3' }, wrongCount('-3', 'Value should be 1 or more.')],
  [{ count: 1.5 }, wrongCount('1.5', 'Wrong type. Expected an integer.')],
  [{ count: 'two' }, wrongCount('two', 'Wrong type. Expected an integer.')],
  [{ count: [1] }, wrongCount('[1]', 'Wrong type. Expected an integer.')],
  [{ count: true }, wrongCount('true', 'Wrong type. Expected an integer.')],
  [{ count: 1, size: 1 }, 'Unknown attribute for argument scale: size'],
  [[], 'Request body must be a JSON object'],
];

test('a count that is none is refused', async (t) => {
  const { path, send, sendJson, agent } = await startWithVersion(t);
  for (const action of ['scale_up', 'scale_down', 'versions/1/scale_up', 'versions/0/scale_down']) {
    for (const [body, message] of BAD_COUNTS) {
      const { status, json } = await sendJson('POST', `${path}/${action}`, body);
      assert.deepEqual([status, json['faultstring']], [400, message]);
    }
    const { status, json } = await send('POST', `${path}/${action}`);
    assert.deepEqual([status, json['faultstring']], [400, 'Missing argument: "scale"']);
  }
  assert.equal(
    agent.link.seats.every((seat) => seat.isFree),
    true,
  );
});

test('ids and numbers that are none are refused, unknown ones are not found', async (t) => {
  const { id, sendJson } = await startWithVersion(t);
  const badId = `400 Invalid input for field/attribute id. Value: 'x'. Value should be UUID format.`;
  const badNumber = `400 Invalid input for field/attribute version_number. Value: 'x'. Wrong type. Expected an integer.`;
  const noFunction = `404 Function not found [id=${UNKNOWN}]`;
  const noVersion = (number: number) => `404 FunctionVersion not found [function_id=${id}, version_number=${number}]`;
  const cases: [string, string][] = [
    ['x', badId],
    [UNKNOWN, noFunction],
    ['x/versions/1', badId],
    [`${UNKNOWN}/versions/0`, noFunction],
    [`${UNKNOWN}/versions/1`, noFunction],
    [`${id}/versions/x`, badNumber],
    [`${id}/versions/2`, noVersion(2)],
    [`${id}/versions/-1`, noVersion(-1)],
  ];
  for (const [place, expected] of cases) {
    for (const action of ['scale_up', 'scale_down', 'detach']) {
      const { status, json } = await sendJson('POST', `/v1/functions/${place}/${action}`, { count: 1 });
      assert.equal(`${status} ${json['faultstring'] as string}`, expected);
    }
  }
});

test('arguments of the list that are none are refused', async (t) => {
  const { path, send } = await startWithVersion(t);
  const bad: [string, string][] = [
    [
      'function_version=x',
      `Invalid input for field/attribute function_version. Value: 'x'. Wrong type. Expected an integer.`,
    ],
    [
      'function_version=',
      `Invalid input for field/attribute function_version. Value: ''. Wrong type. Expected an integer.`,
    ],
    [
      'function_version=-1',
      `Invalid input for field/attribute function_version. Value: '-1'. Value should be 0 or more.`,
    ],
    ['limit=1', 'Unknown argument: "limit"'],
  ];
  for (const [query, message] of bad) {
    const { status, json } = await send('GET', `${path}/workers?${query}`);
    assert.deepEqual([status, json['faultstring']], [400, message]);
  }
  assert.equal((await send('GET', '/v1/functions/x/workers')).status, 400);
});

test('no workers are taken while the runtime is not available', async (t) => {
  const { path, sendJson, runtimes, runtimeId, orchestrator } = await startWithVersion(t);
  orchestrator.isWilling = false;
  await runtimes.update(ANYBODY, runtimeId, { image: 'other' });

  const { status, json } = await sendJson('POST', `${path}/scale_up`, { count: 1 });

  assert.deepEqual([status, json['faultstring']], [409, `Runtime ${runtimeId} is not available.`]);
  (await orchestrator.next()).succeed();
});

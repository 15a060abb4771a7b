import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ANYBODY } from '../../../gateway/auth/access.ts';
import { Kind, Outcome } from '../../../protocol/message.ts';
import { startExecutionServer } from '../../support/execution-server.ts';
import { until } from '../../support/fake-agent.ts';
import { functionRecord } from '../../support/store-records.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

/** A function with version 1 and the alias `live` to it, on an agent that answers each call. */
async function startWithAlias(t: TestContext) {
  const server = await startExecutionServer(t, { workerCount: 4 });
  server.agent.runs = (invoke) => server.agent.result(invoke, Outcome.Returned, '"done"');
  const { id } = await server.create();
  await server.versions.create(ANYBODY, id, null);
  await server.aliases.create(ANYBODY, { name: 'live', functionId: id, functionVersion: 1, description: null });
  const counts = async () => {
    const record = await server.functions.get(ANYBODY, id);
    const versions = await server.store.versions.list(id);
    return [record.count, ...versions.map(({ count }) => count)];
  };
  return { ...server, id, run: server.post, counts };
}

test('an execution by version tells the version, and is counted there only', async (t) => {
  const { id, run, counts, send } = await startWithAlias(t);

  const { status, json } = await run({ function_id: id, function_version: 1, function_alias: null, input: null });

  assert.equal(status, 201, JSON.stringify(json));
  const { function_id, function_version, function_alias } = json;
  assert.deepEqual(
    { function_id, function_version, function_alias },
    { function_id: id, function_version: 1, function_alias: null },
  );
  assert.deepEqual([json['status'], json['output']], ['success', '{"result": "done"}']);
  assert.deepEqual((await send('GET', `/v1/executions/${json['id'] as string}`)).json['function_version'], 1);
  assert.deepEqual(await counts(), [0, 1]);
});

test('an execution by version 0, or by none, is of the function as it is', async (t) => {
  const { id, run, counts } = await startWithAlias(t);
  for (const function_version of [0, '0', null, undefined]) {
    assert.equal((await run({ function_id: id, function_version })).json['function_version'], 0);
  }
  assert.deepEqual(await counts(), [4, 0]);
});

test('an execution by alias tells the alias with what it pointed at, and the alias goes first', async (t) => {
  const { id, run, counts } = await startWithAlias(t);

  const { status, json } = await run({ function_id: UNKNOWN, function_version: 7, function_alias: 'live' });

  assert.equal(status, 201, JSON.stringify(json));
  assert.deepEqual([json['function_id'], json['function_version'], json['function_alias']], [id, 1, 'live']);
  assert.deepEqual(await counts(), [0, 1]);
});

test('an execution by an alias that was moved runs what it points at now', async (t) => {
  const { id, run, sendJson, counts, agent } = await startWithAlias(t);
  await run({ function_alias: 'live' });

  await sendJson('PUT', '/v1/aliases/live', { function_version: 0 });
  const { json } = await run({ function_alias: 'live' });

  assert.deepEqual([json['function_id'], json['function_version']], [id, 0]);
  assert.deepEqual(await counts(), [1, 1]);
  const keys = agent.of(Kind.Bind).map(({ targetKey }) => targetKey.split('/')[1]);
  assert.deepEqual(keys, ['1', '0']);
});

test('asynchronous executions run the version, and tell the alias, that they were accepted with', async (t) => {
  const { id, run, ended, sendJson, counts } = await startWithAlias(t);

  const byAlias = await run({ function_alias: 'live', sync: false });
  const byVersion = await run({ function_id: id, function_version: 1, sync: false });
  await sendJson('PUT', '/v1/aliases/live', { function_version: 0 });

  assert.deepEqual([byAlias.status, byVersion.status], [201, 201]);
  const shown = [await ended(byAlias.json['id'] as string), await ended(byVersion.json['id'] as string)];
  assert.deepEqual(
    shown.map((execution) => [execution['status'], execution['function_version'], execution['function_alias']]),
    [
      ['success', 1, 'live'],
      ['success', 1, null],
    ],
  );
  assert.deepEqual(await counts(), [0, 2]);
});

test('an execution that waits for a worker when its version is deleted runs; the next is refused', async (t) => {
  const { id, run, ended, versions, aliases, agent } = await startWithAlias(t);
  await aliases.delete(ANYBODY, 'live');
  agent.bindsAtOnce = false;
  const waiting = await run({ function_id: id, function_version: 1, sync: false });
  await until(() => agent.of(Kind.Bind).length === 1);

  await versions.delete(ANYBODY, id, 1);
  agent.bound(agent.of(Kind.Bind)[0]!);

  assert.equal((await ended(waiting.json['id'] as string))['status'], 'success');
  assert.equal((await run({ function_id: id, function_version: 1 })).status, 404);
  await until(() => agent.of(Kind.Unbind).length === 1);
});

test('a warm worker of a version is used by the next call, of its alias too', async (t) => {
  const { id, run, agent } = await startWithAlias(t);
  const first = await run({ function_id: id, function_version: 1 });
  const second = await run({ function_alias: 'live' });

  assert.match(first.headers.get('server-timing')!, /desc="cold"/);
  assert.match(second.headers.get('server-timing')!, /desc="warm"/);
  assert.equal(agent.of(Kind.Bind).length, 1);
});

test('workers that were added by hand make the first call warm', async (t) => {
  const { id, run, sendJson, agent } = await startWithAlias(t);

  await sendJson('POST', `/v1/functions/${id}/versions/1/scale_up`, { count: 1 });
  await until(() => agent.link.bindCount === 0);
  const { headers } = await run({ function_alias: 'live' });

  assert.match(headers.get('server-timing')!, /desc="warm"/);
});

test('what cannot be run is refused, leaves no record, and is not counted', async (t) => {
  const { id, run, counts, send, store } = await startWithAlias(t);
  const image = functionRecord({ code: { source: 'image', image: 'i' }, packageDigest: null });
  await store.functions.insert(image);
  const wrong = (name: string, value: string, why: string) =>
    `Invalid input for field/attribute ${name}. Value: '${value}'. ${why}`;
  const refused: [object, number, string][] = [
    [{}, 400, 'Either function_alias or function_id must be provided.'],
    [{ function_version: 1 }, 400, 'Either function_alias or function_id must be provided.'],
    [{ function_id: 'x' }, 400, 'Expected a uuid but received x.'],
    [{ function_id: id, function_version: -1 }, 400, wrong('function_version', '-1', 'Value should be 0 or more.')],
    [
      { function_id: id, function_version: 'x' },
      400,
      wrong('function_version', 'x', 'Wrong type. Expected an integer.'),
    ],
    [{ function_alias: 0 }, 400, wrong('function_alias', '0', 'Wrong type. Expected a string.')],
    [{ function_id: image.id, function_version: 1 }, 400, 'Can not specify version for image type function.'],
    [{ function_id: UNKNOWN }, 404, `Function not found [id=${UNKNOWN}]`],
    [{ function_id: UNKNOWN, function_version: 1 }, 404, `Function not found [id=${UNKNOWN}]`],
    [{ function_id: id, function_version: 2 }, 404, `FunctionVersion not found [function_id=${id}, version_number=2]`],
    [{ function_alias: 'dead' }, 404, 'FunctionAlias not found [name=dead]'],
    [{ function_id: id, function_alias: 'dead' }, 404, 'FunctionAlias not found [name=dead]'],
  ];
  for (const [body, status, message] of refused) {
    for (const sync of [true, false]) {
      const reply = await run({ ...body, sync });
      assert.deepEqual([reply.status, reply.json['faultstring']], [status, message]);
    }
  }
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [] });
  assert.deepEqual(await counts(), [0, 0]);
});

test('a version does not run while the runtime is not available', async (t) => {
  const { run, runtimes, runtimeId, orchestrator } = await startWithAlias(t);
  orchestrator.isWilling = false;
  await runtimes.update(ANYBODY, runtimeId, { image: 'other' });

  const { status, json } = await run({ function_alias: 'live' });

  assert.deepEqual([status, json['faultstring']], [409, `Runtime ${runtimeId} is not available.`]);
  (await orchestrator.next()).succeed();
});

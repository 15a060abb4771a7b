import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionRecord } from '../../../gateway/store/store.ts';
import { Kind, Outcome, type Invoke } from '../../../protocol/message.ts';
import { startExecutionServer } from '../../support/execution-server.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';
import type { FunctionsRig } from '../../support/functions-rig.ts';
import { executionRecord } from '../../support/store-records.ts';

/** Executions that an earlier process left running, all of one function. */
function leaving(records: ExecutionRecord[], changes: readonly Partial<ExecutionRecord>[]) {
  return async ({ create, store }: FunctionsRig) => {
    const { id: functionId } = await create();
    for (const change of changes) {
      const record = executionRecord({ functionId, ...change });
      records.push(record);
      await store.executions.insert(record, null);
    }
  };
}

function invokeOf(slot: number, executionId: string): Invoke {
  return { kind: Kind.Invoke, slot, worker: 0, executionId, timeoutMs: 1, input: Buffer.alloc(0) };
}

test('what an earlier process accepted and did not start is run, in its order', async (t) => {
  const records: ExecutionRecord[] = [];
  const unstarted = { isSync: false, isStarted: false };
  const leave = leaving(records, [
    { ...unstarted, input: '{"n": 1}' },
    { ...unstarted, input: null },
    { ...unstarted, input: '{"n": 3}' },
  ]);
  const { agent, ended } = await startExecutionServer(t, { leave });
  await until(() => agent.invokes.length === 3);
  assert.deepEqual(
    agent.invokes.map(({ executionId, input }) => [executionId, Buffer.from(input).toString()]),
    [
      [records[0]!.id, '{"n": 1}'],
      [records[1]!.id, ''],
      [records[2]!.id, '{"n": 3}'],
    ],
  );
  for (const invoke of agent.invokes) agent.result(invoke);
  for (const { id } of records) assert.equal((await ended(id))['status'], 'success');
});

test('what an earlier process may have started is settled in error, and not run', async (t) => {
  const records: ExecutionRecord[] = [];
  const leave = leaving(records, [{ isSync: true }, { isSync: false, isStarted: true }]);
  const { agent, send } = await startExecutionServer(t, { leave });
  for (const { id } of records) {
    const { json } = await send('GET', `/v1/executions/${id}`);
    assert.deepEqual([json['status'], json['result']], ['error', '{"output": "Function execution failed."}']);
  }
  assert.deepEqual(agent.invokes, []);
});

test('what an agent brings back keeps its result, what none brings is settled when the wait is over', async (t) => {
  const records: ExecutionRecord[] = [];
  const leave = leaving(records, [{ isSync: true }, { isSync: false, isStarted: true }, { isSync: true }]);
  const { agent, links, send, ended } = await startExecutionServer(t, { leave, returnGraceMs: 300 });
  const [one, two, three] = records.map(({ id }) => id) as [string, string, string];
  for (const id of [one, two, three]) {
    assert.equal((await send('GET', `/v1/executions/${id}`)).json['status'], 'running');
  }
  const held: [number, string][] = [
    [4, one],
    [9, two],
  ];
  const returned = new FakeAgent(links, { agentName: 'returned', held }).connect();
  returned.result(invokeOf(4, one), Outcome.Returned, '"kept"', 5_000, 'printed\n');
  const first = await ended(one);
  assert.deepEqual([first['status'], first['result']], ['success', '{"output": "kept", "duration": 0.005}']);
  assert.match((await send('GET', `/v1/executions/${one}/log`)).text, /\nprinted\n/);
  await until(() => returned.of(Kind.Ack).length === 1);
  assert.deepEqual(returned.of(Kind.Ack)[0]!.slots, [4]);

  assert.equal((await ended(three))['status'], 'error');
  assert.equal((await send('GET', `/v1/executions/${two}`)).json['status'], 'running', 'its agent still has it');
  returned.result(invokeOf(9, two), Outcome.Failed, '"late"', 5_000);
  assert.equal((await ended(two))['status'], 'failed');
  assert.deepEqual([agent.invokes, returned.invokes], [[], []]);
});

test('what an agent brought back and is lost with it is settled', async (t) => {
  const records: ExecutionRecord[] = [];
  const leave = leaving(records, [{ isSync: true }]);
  const { links, ended } = await startExecutionServer(t, { leave, returnGraceMs: 3_600_000 });
  const { id } = records[0]!;
  new FakeAgent(links, { agentName: 'returned', held: [[4, id]] }).connect();
  links.agentGone('returned');
  assert.equal((await ended(id))['status'], 'error');
});

test('a drain waits for what runs, refuses what is new, and leaves what has not started to the next start', async (t) => {
  const { agent, create, post, send, executions } = await startExecutionServer(t, { workerCount: 1 });
  const { id } = await create();
  const sync = post({ function_id: id });
  await until(() => agent.invokes.length === 1);
  const running = await post({ function_id: id, sync: false });
  await until(() => agent.invokes.length === 2);
  await post({ function_id: id, sync: false });
  await until(() => agent.invokes.length === 3);
  const waiting = await post({ function_id: id, sync: false });

  let isDrained = false;
  const drained = executions.drain(60_000).then(() => (isDrained = true));
  const refused = await post({ function_id: id });
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
  assert.equal(refused.json['faultstring'], 'The service is shutting down.');

  agent.result(agent.invokes[0]!, Outcome.Returned, '"one"');
  assert.equal((await sync).json['output'], '{"result": "one"}');
  agent.result(agent.invokes[1]!);
  await new Promise(setImmediate);
  assert.equal(isDrained, false);
  agent.result(agent.invokes[2]!);
  await drained;

  const show = async ({ json }: { json: Record<string, unknown> }) =>
    (await send('GET', `/v1/executions/${String(json['id'])}`)).json['status'];
  assert.deepEqual([await show(running), await show(waiting)], ['success', 'running']);
  assert.equal(agent.invokes.length, 3);
});

test('a drain waits no longer than it may', async (t) => {
  const { agent, create, post, executions } = await startExecutionServer(t);
  const { id } = await create();
  await post({ function_id: id, sync: false });
  await until(() => agent.invokes.length === 1);
  await executions.drain(1);
});

test('an execution whose function went before it started is settled in error', async (t) => {
  const { agent, create, post, send, ended } = await startExecutionServer(t, { workerCount: 1 });
  const { id: first } = await create();
  agent.bindsAtOnce = false;
  const { json } = await post({ function_id: first, sync: false });
  assert.equal((await send('DELETE', `/v1/functions/${first}`)).status, 204);
  for (const bind of agent.of(Kind.Bind)) agent.bound(bind);
  agent.runs = (invoke) => agent.result(invoke);
  assert.match(String((await ended(String(json['id'])))['status']), /^(success|error)$/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BindFault, Kind, Outcome } from '../../../protocol/message.ts';
import { startExecutionServer } from '../../support/execution-server.ts';
import { until } from '../../support/fake-agent.ts';
import { finalRecord } from '../../support/store-records.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const FAILED = 'Function execution failed.';
const RESOURCES = 'Function execution failed because of too much resource consumption';

type Json = Record<string, unknown>;

function listOf({ json }: { readonly json: Json }): Json[] {
  return json['executions'] as Json[];
}

test('an execution shows every key, and its list and its own address show the same', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id: functionId } = await create();
  agent.runs = (invoke) => agent.result(invoke, Outcome.Returned, '"hi foo"', 31_400);

  const { status, json, headers } = await post({
    function_id: functionId.toUpperCase(),
    input: '{"name": "foo"}',
    description: 'ü',
  });

  assert.equal(status, 201, JSON.stringify(json));
  assert.equal(headers.get('content-type'), 'application/json');
  assert.match(json['id'] as string, UUID);
  assert.match(json['created_at'] as string, TIME);
  assert.match(json['updated_at'] as string, TIME);
  assert.deepEqual(Object.entries(json), [
    ['id', json['id']],
    ['function_id', functionId],
    ['function_version', 0],
    ['function_alias', null],
    ['description', 'ü'],
    ['status', 'success'],
    ['sync', true],
    ['input', '{"name": "foo"}'],
    ['result', '{"output": "hi foo", "duration": 0.031}'],
    ['output', '{"result": "hi foo"}'],
    ['project_id', 'default'],
    ['created_at', json['created_at']],
    ['updated_at', json['updated_at']],
  ]);
  assert.deepEqual((await send('GET', `/v1/executions/${String(json['id'])}`)).json, json);
  assert.deepEqual((await send('GET', `/v1//executions/${String(json['id']).toUpperCase()}/`)).json, json);
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [json] });
});

test('every sync answer tells where its time went, and whether the start was warm', async (t) => {
  const { agent, create, post } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  const ms = String.raw`;dur=\d+\.\d{3}`;
  const timing = (start: string) => new RegExp(`^queue${ms}, bind${ms}, run${ms}, store${ms}, start;desc="${start}"$`);
  for (const start of ['cold', 'warm', 'warm']) {
    const { headers } = await post({ function_id: id });
    assert.match(headers.get('server-timing')!, timing(start));
  }
  agent.runs = (invoke) => agent.result(invoke, Outcome.Failed, '"no"');
  assert.match((await post({ function_id: id })).headers.get('server-timing')!, timing('warm'));
  const later = await post({ function_id: id, sync: false });
  assert.equal(later.headers.get('server-timing'), null, 'its time has not gone anywhere yet');
});

test('an async execution is answered at once, and read later', async (t) => {
  const { agent, create, post, send, ended } = await startExecutionServer(t);
  const { id } = await create();

  const { status, json } = await post({ function_id: id, sync: false, input: 'x' });

  assert.equal(status, 201);
  const { status: state, sync, result, output, input, updated_at: updatedAt } = json;
  assert.deepEqual(
    { state, sync, result, output, input, updatedAt },
    { state: 'running', sync: false, result: null, output: null, input: 'x', updatedAt: null },
  );
  const path = `/v1/executions/${String(json['id'])}`;
  await until(() => agent.invokes.length === 1);
  assert.equal((await send('GET', path)).json['status'], 'running');
  assert.deepEqual((await send('GET', `${path}/log`)).text, '');

  agent.result(agent.invokes[0]!, Outcome.Returned, '[1]', 2_000_000, 'printed\n');

  const final = await ended(String(json['id']));
  assert.deepEqual(
    [final['status'], final['result'], final['output']],
    ['success', '{"output": [1], "duration": 2.0}', '{"result": [1]}'],
  );
});

test('`sync` is true where it is null or absent, and may be a word', async (t) => {
  const { agent, create, post } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  const shown = async (sync: unknown) => (await post({ function_id: id, sync })).json['sync'];
  for (const sync of [undefined, null, true, 'true', 'On', 1, '1']) assert.equal(await shown(sync), true, String(sync));
  for (const sync of [false, 'false', 'no', 0, 'F']) assert.equal(await shown(sync), false, String(sync));
});

test('the explicit nulls of the command-line client count as absent', async (t) => {
  const { agent, create, post } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  const body = { function_id: id, function_version: null, function_alias: null, sync: true, input: null };
  const { status, json } = await post(body);
  assert.deepEqual([status, json['function_version'], json['input']], [201, 0, null]);
  assert.equal((await post({ ...body, function_version: '0', description: null })).status, 201);
});

test('who somebody says to be counts for nothing while nobody need authenticate', async (t) => {
  const { agent, create, url, send } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  const forged = { 'X-Auth-Token': 'notused', 'X-Project-Id': 'other', 'X-Roles': 'reader', 'X-User-Id': 'me' };
  const headers = { ...forged, 'X-Identity-Status': 'Invalid', 'Content-Type': 'application/json' };
  const body = JSON.stringify({ function_id: id });
  const answer = await fetch(`${url}/v1/executions`, { method: 'POST', headers, body });
  const execution = (await answer.json()) as Json;
  assert.deepEqual([answer.status, execution['project_id']], [201, 'default']);
  assert.deepEqual(listOf(await send('GET', '/v1/executions', { headers })), [execution]);
});

/** What is sent as `input`, what is shown, and what the language host gets. */
const INPUTS: [string, unknown, string | null, string][] = [
  ['nothing', undefined, null, ''],
  ['null', null, null, ''],
  ['an empty text', '', null, ''],
  ['the text null', 'null', null, ''],
  ['an object', '{"name":"x","n":[1,2]}', '{"name": "x", "n": [1, 2]}', '{"name": "x", "n": [1, 2]}'],
  ['an empty object', ' {} ', '{}', '{}'],
  ['text beyond ASCII', '{"a": "ü🙂"}', '{"a": "\\u00fc\\ud83d\\ude42"}', '{"a": "\\u00fc\\ud83d\\ude42"}'],
  [
    'digits beyond a float',
    '{"n": 12345678901234567890.10}',
    '{"n": 12345678901234567890.10}',
    '{"n": 12345678901234567890.10}',
  ],
  ['no JSON', 'Qinling', 'Qinling', '{"__function_input": "Qinling"}'],
  ['words', ' two  words\n', ' two  words\n', '{"__function_input": " two  words\\n"}'],
  ['an integer', '6', '6', '{"__function_input": "6"}'],
  ['a float', '1.50', '1.50', '{"__function_input": "1.50"}'],
  ['a bool', 'true', 'true', '{"__function_input": "true"}'],
  ['an array', '[1,2]', '[1,2]', '{"__function_input": "[1,2]"}'],
  ['a quoted text', '"x"', '"x"', '{"__function_input": "\\"x\\""}'],
  ['a broken object', '{"a":', '{"a":', '{"__function_input": "{\\"a\\":"}'],
  ['a positional text', '{"__function_input": "p", "q": 1}', 'p', '{"__function_input": "p", "q": 1}'],
  ['a positional list', '{"__function_input":[1,"b"]}', '[1, "b"]', '{"__function_input": [1, "b"]}'],
  ['a positional object', '{"__function_input": {"a":1}}', '{"a": 1}', '{"__function_input": {"a": 1}}'],
  [
    'the word deeper inside',
    '{"a": {"__function_input": 1}}',
    '{"a": {"__function_input": 1}}',
    '{"a": {"__function_input": 1}}',
  ],
  ['an object that is no text', { name: 'x', n: [1, 2] }, '{"name": "x", "n": [1, 2]}', '{"name": "x", "n": [1, 2]}'],
  ['a number that is no text', 6, '6', '{"__function_input": "6"}'],
  ['an array that is no text', [1, 2], '[1, 2]', '{"__function_input": "[1, 2]"}'],
  ['a bool that is no text', false, 'false', '{"__function_input": "false"}'],
];
test('input reaches the function and is shown as the contract says', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  for (const [what, sent, shown, received] of INPUTS) {
    const { status, json } = await post({ function_id: id, input: sent });
    assert.deepEqual([status, json['input']], [201, shown], what);
    assert.equal(Buffer.from(agent.invokes.at(-1)!.input).toString(), received, what);
    assert.equal((await send('GET', `/v1/executions/${String(json['id'])}`)).json['input'], shown, what);
  }
  const listed = listOf(await send('GET', '/v1/executions')).map(({ input }) => input);
  assert.deepEqual(
    listed,
    INPUTS.map(([, , shown]) => shown),
  );
});

test('input that is nested so deeply that it could not be shown is refused, and spoils nothing', async (t) => {
  const { create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  for (const input of [`{"a": ${deep}}`, `{"__function_input": ${deep}}`]) {
    for (const sync of [true, false]) {
      const { status, json } = await post({ function_id: id, sync, input });
      assert.deepEqual([status, json['faultstring']], [400, 'The JSON value is nested too deeply.']);
    }
  }
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [] });
});

/** What the agent says, and what becomes of it. */
const ENDS: [string, [Outcome, string, number], string, string, string][] = [
  [
    'returns null',
    [Outcome.Returned, 'null', 1_000],
    'success',
    '{"output": null, "duration": 0.001}',
    '{"result": null}',
  ],
  [
    'returns an object',
    [Outcome.Returned, '{"a": "\\u00fc"}', 0],
    'success',
    '{"output": {"a": "\\u00fc"}, "duration": 0.0}',
    '{"result": {"a": "\\u00fc"}}',
  ],
  [
    'raises',
    [Outcome.Failed, '"\'k\'"', 1_234_567],
    'failed',
    '{"output": "\'k\'", "duration": 1.235}',
    '{"result": "\'k\'"}',
  ],
  [
    'takes too long',
    [Outcome.TimedOut, '', 4_999_000],
    'failed',
    '{"output": "Function execution timeout.", "duration": 5.0}',
    '{"result": "Function execution timeout."}',
  ],
  [
    'takes much too long',
    [Outcome.TimedOut, '', 5_012_000],
    'failed',
    '{"output": "Function execution timeout.", "duration": 5.012}',
    '{"result": "Function execution timeout."}',
  ],
  [
    'is killed',
    [Outcome.Killed, '', 500_000],
    'failed',
    `{"output": "${RESOURCES}", "duration": 0.5}`,
    `{"result": "${RESOURCES}"}`,
  ],
  [
    'exits',
    [Outcome.Exited, '', 20_000],
    'failed',
    '{"output": "Function process ended before it returned a result.", "duration": 0.02}',
    '{"result": "Function process ended before it returned a result."}',
  ],
];
test('a sync execution is answered 201 with its result, whatever became of it', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  for (const [what, [outcome, output, micros], status, result, early] of ENDS) {
    agent.runs = (invoke) => agent.result(invoke, outcome, output, micros);
    const answer = await post({ function_id: id });
    assert.equal(answer.status, 201, what);
    const { json } = answer;
    assert.deepEqual([json['status'], json['result'], json['output']], [status, result, early], what);
    assert.deepEqual((await send('GET', `/v1/executions/${String(json['id'])}`)).json, json);
  }
});

test('a function that does not load fails with the reason, its log, and no duration', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  agent.bindsAtOnce = false;
  const answer = post({ function_id: id });
  await until(() => agent.of(Kind.Bind).length === 1);
  const { worker, targetKey } = agent.of(Kind.Bind)[0]!;
  const bytes = { output: Buffer.from('"No module named \'main\'"'), log: Buffer.from('Traceback\n') };
  agent.say({
    kind: Kind.BindFailed,
    worker,
    targetKey,
    fault: BindFault.Function,
    outcome: Outcome.Failed,
    ...bytes,
    reason: '',
  });
  const { status, json } = await answer;
  assert.deepEqual([status, json['status']], [201, 'failed']);
  assert.equal(json['result'], '{"output": "No module named \'main\'"}');
  const log = await send('GET', `/v1/executions/${String(json['id'])}/log`);
  assert.equal(
    log.text,
    `Start execution: ${String(json['id'])}\nTraceback\nFinished execution: ${String(json['id'])}\n`,
  );
});

test('what no worker can take is answered 201 and in error', async (t) => {
  const { agent, create, post, send, ended } = await startExecutionServer(t);
  const { id } = await create();
  agent.bindsAtOnce = false;
  const refuseBinds = setInterval(() => {
    for (const bind of agent.received.splice(0)) {
      if (bind.kind === Kind.Bind) agent.bindFailed(bind, BindFault.Agent);
    }
  }, 1);
  t.after(() => clearInterval(refuseBinds));
  for (const sync of [true, false]) {
    const { status, json } = await post({ function_id: id, sync });
    assert.equal(status, 201);
    const final = sync ? json : await ended(String(json['id']));
    assert.deepEqual([final['status'], final['result']], ['error', `{"output": "${FAILED}"}`]);
    assert.equal((await send('GET', `/v1/executions/${String(json['id'])}/log`)).text, '');
  }
});

test('an execution whose agent is lost ends in error, and is not run again', async (t) => {
  const { agent, links, create, post, ended } = await startExecutionServer(t);
  const { id } = await create();
  const sync = post({ function_id: id });
  await until(() => agent.invokes.length === 1);
  const { json: later } = await post({ function_id: id, sync: false });
  await until(() => agent.invokes.length === 2);
  links.agentGone('fake');
  for (const json of [(await sync).json, await ended(String(later['id']))]) {
    assert.deepEqual([json['status'], json['result']], ['error', `{"output": "${FAILED}"}`]);
  }
  assert.equal(agent.invokes.length, 2);
});

test('a client that goes away does not end its execution', async (t) => {
  const { agent, url, create, send } = await startExecutionServer(t);
  const { id } = await create();
  const abort = new AbortController();
  const body = JSON.stringify({ function_id: id });
  const headers = { 'Content-Type': 'application/json' };
  const answer = fetch(`${url}/v1/executions`, { method: 'POST', headers, body, signal: abort.signal });
  await until(() => agent.invokes.length === 1);
  abort.abort();
  await assert.rejects(answer);
  agent.result(agent.invokes[0]!, Outcome.Returned, '"late"');
  for (;;) {
    const [execution] = listOf(await send('GET', '/v1/executions'));
    if (execution?.['status'] !== 'success') continue;
    assert.equal(execution['output'], '{"result": "late"}');
    return;
  }
});

const REFUSALS: [string, Json, number, string | RegExp][] = [
  ['neither function nor alias', {}, 400, 'Either function_alias or function_id must be provided.'],
  [
    'two nulls',
    { function_id: null, function_alias: null },
    400,
    'Either function_alias or function_id must be provided.',
  ],
  ['a function that is no id', { function_id: 'x' }, 400, 'Expected a uuid but received x.'],
  ['a function that is a number', { function_id: 5 }, 400, 'Expected a uuid but received 5.'],
  ['an unknown function', { function_id: UNKNOWN }, 404, `Function not found [id=${UNKNOWN}]`],
  ['an unknown alias', { function_alias: 'none' }, 404, /not found/],
  ['an unknown alias beside a function', { function_alias: 'none', function_id: UNKNOWN }, 404, /not found/],
  ['an alias that is no text', { function_alias: 0 }, 400, /attribute function_alias\. Value: '0'\. Wrong type\./],
  ['a negative version', { function_id: UNKNOWN, function_version: -1 }, 400, /attribute function_version/],
  ['a version that is no number', { function_id: UNKNOWN, function_version: 'one' }, 400, /attribute function_version/],
  ['a version that is a bool', { function_id: UNKNOWN, function_version: true }, 400, /attribute function_version/],
  ['no bool', { function_id: UNKNOWN, sync: 'maybe' }, 400, /attribute sync\. Value: 'maybe'\. Wrong type\./],
  ['a long description', { function_id: UNKNOWN, description: 'd'.repeat(256) }, 400, /attribute description/],
  ['a description that is no text', { function_id: UNKNOWN, description: {} }, 400, /attribute description/],
  ['an unknown attribute', { function_id: UNKNOWN, wait: true }, 400, 'Unknown attribute for argument execution: wait'],
  ['a null for an unknown attribute', { function_id: UNKNOWN, wait: null }, 400, /^Unknown attribute/],
  ...['id', 'status', 'result', 'output', 'project_id', 'created_at', 'updated_at'].map(
    (name): [string, Json, number, RegExp] => [
      `the read-only ${name}`,
      { function_id: UNKNOWN, [name]: null },
      400,
      new RegExp(`^Invalid input for field/attribute ${name}\\..*Cannot set read only field\\.$`),
    ],
  ),
];
for (const [what, body, status, message] of REFUSALS) {
  test(`an execution of ${what} is refused, and leaves no record`, async (t) => {
    const { post, send } = await startExecutionServer(t);
    const { status: seen, json } = await post(body);
    assert.equal(seen, status, JSON.stringify(json));
    assert.deepEqual(Object.keys(json), ['faultcode', 'faultstring', 'debuginfo']);
    if (typeof message === 'string') assert.equal(json['faultstring'], message);
    else assert.match(json['faultstring'] as string, message);
    assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [] });
  });
}

test('a function whose version is not there, or whose runtime is not available, is not run', async (t) => {
  const { agent, create, post, sendJson, orchestrator, runtimeId, send } = await startExecutionServer(t);
  const { id } = await create();
  const version = await post({ function_id: id, function_version: 1 });
  assert.equal(version.status, 404);
  assert.match(version.json['faultstring'] as string, /not found/);

  agent.runs = (invoke) => agent.result(invoke);
  assert.equal((await post({ function_id: id })).status, 201, 'warm: the refusal is not one of loading');
  orchestrator.isWilling = false;
  assert.equal((await sendJson('PUT', `/v1/runtimes/${runtimeId}`, { image: 'other' })).json['status'], 'upgrading');
  for (const sync of [true, false]) {
    const { status, json } = await post({ function_id: id, sync });
    assert.deepEqual([status, json['faultstring']], [409, `Runtime ${runtimeId} is not available.`]);
  }
  assert.equal(listOf(await send('GET', '/v1/executions')).length, 1);
});

test('a full line is refused in a way that says when to come back, and leaves no record', async (t) => {
  const { agent, invoker, create, post, send } = await startExecutionServer(t, { workerCount: 1, maxWaitingCalls: 1 });
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke, Outcome.Returned, '1', 5_000_000);
  await post({ function_id: id });
  agent.runs = undefined;
  const running = [0, 1, 2].map(() => post({ function_id: id }));
  await until(() => agent.invokes.length === 4);
  const waiting = post({ function_id: id });
  await until(() => invoker.waitingCalls === 1);
  const { status, json, headers } = await post({ function_id: id });
  assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
  assert.equal(json['faultstring'], 'No worker is free for this function; try again later.');
  agent.runs = (invoke) => agent.result(invoke);
  for (const invoke of agent.invokes.slice(1)) agent.result(invoke);
  const answers = await Promise.all([...running, waiting]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 201, 201],
  );
  assert.equal(listOf(await send('GET', '/v1/executions')).length, 5);
});

test('a call that waits too long for a worker is refused and leaves no record; an async one waits on', async (t) => {
  const { agent, create, post, send, ended } = await startExecutionServer(t, { maxWaitingMs: 1 });
  const { id } = await create();
  agent.bindsAtOnce = false;
  const { status, headers } = await post({ function_id: id });
  assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [] });

  const { json } = await post({ function_id: id, sync: false });
  agent.bindsAtOnce = true;
  agent.runs = (invoke) => agent.result(invoke);
  for (const bind of agent.of(Kind.Bind)) agent.bound(bind);
  assert.equal((await ended(String(json['id'])))['status'], 'success');
});

test('an accepted execution is counted once, whatever becomes of it; a refused one is not', async (t) => {
  const { agent, create, post, send, ended } = await startExecutionServer(t);
  const { id } = await create();
  const count = async () => (await send('GET', `/v1/functions/${id}`)).json['count'];
  agent.runs = (invoke) => agent.result(invoke);
  assert.equal((await send('GET', `/v1/functions/${id}`)).json['updated_at'], null);
  await post({ function_id: id });
  assert.equal(await count(), 1);
  assert.match((await send('GET', `/v1/functions/${id}`)).json['updated_at'] as string, TIME);
  agent.runs = (invoke) => agent.result(invoke, Outcome.Killed, '');
  await post({ function_id: id });
  agent.runs = (invoke) => agent.result(invoke, Outcome.NotStarted, '');
  await post({ function_id: id });
  assert.equal(await count(), 3);
  await post({ function_id: id, function_version: 9 });
  assert.equal(await count(), 3);
  agent.runs = (invoke) => setTimeout(() => agent.result(invoke), 200); // long enough to be recorded while it runs
  await post({ function_id: id });
  const { json } = await post({ function_id: id, sync: false });
  assert.equal(await count(), 5);
  await ended(String(json['id']));
  assert.equal(await count(), 5);
});

test('a sync execution that lasts is listed while it runs', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  const answer = post({ function_id: id, input: 'x' });
  await until(() => agent.invokes.length === 1);
  for (;;) {
    const [running] = listOf(await send('GET', '/v1/executions?status=running'));
    if (running === undefined) continue;
    assert.deepEqual([running['input'], running['result'], running['sync']], ['x', null, true]);
    break;
  }
  agent.result(agent.invokes[0]!);
  const { json } = await answer;
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [json] });
});

/** What was printed, whether it was cut and finished, and the log's lines between the first and the end. */
const LOGS: [string, [Outcome, string, boolean], string][] = [
  ['that printed nothing', [Outcome.Returned, '', false], 'F'],
  ['that printed a line', [Outcome.Returned, 'hello\n', false], 'hello\nF'],
  ['that printed no line end', [Outcome.Returned, 'hello', false], 'hello\nF'],
  ['that printed JSON', [Outcome.Returned, '{"a": 1}', false], '{"a": 1}\nF'],
  ['that printed beyond ASCII', [Outcome.Returned, 'wört 🙂\n', false], 'wört 🙂\nF'],
  [
    'that raised',
    [Outcome.Failed, 'Traceback (most recent call last):\n', false],
    'Traceback (most recent call last):\nF',
  ],
  ['that raised without a word', [Outcome.Failed, '', false], 'F'],
  ['that was killed', [Outcome.Killed, 'before\n', false], 'before\n'],
  ['that was killed without a word', [Outcome.Killed, '', false], ''],
  ['that took too long', [Outcome.TimedOut, 'before', false], 'before\n'],
  [
    'that printed more than is kept',
    [Outcome.Returned, 'x'.repeat(65_536), true],
    `${'x'.repeat(65_536)}\n[log cut: only the first 65536 bytes are kept]\nF`,
  ],
];
test('a log is framed, and complete unless the function was killed', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  for (const [what, [outcome, printed, isCut], expected] of LOGS) {
    agent.runs = (invoke) => agent.result(invoke, outcome, '"x"', 100, printed, isCut);
    const executionId = String((await post({ function_id: id })).json['id']);
    const { status, text, headers } = await send('GET', `/v1/executions/${executionId}/log`, {
      headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    });
    assert.deepEqual([status, headers.get('content-type')], [200, 'text/plain; charset=UTF-8'], what);
    const lines = `Start execution: ${executionId}\n${expected.replace(/F$/, `Finished execution: ${executionId}\n`)}`;
    assert.equal(text, lines, what);
  }
});

test('a deleted execution is gone, with its log', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke, Outcome.Returned, '1', 1, 'printed');
  const path = `/v1/executions/${String((await post({ function_id: id })).json['id'])}`;
  const gone = await send('DELETE', path);
  assert.deepEqual([gone.status, gone.text], [204, '']);
  for (const [method, address] of [
    ['GET', path],
    ['GET', `${path}/log`],
    ['DELETE', path],
  ] as const) {
    const { status, json } = await send(method, address);
    assert.deepEqual([status, json['faultstring']], [404, `Execution not found [id=${path.slice(15)}]`]);
  }
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [] });
});

test('deleting a running execution drops its result; the agent may forget it, its worker is of use again', async (t) => {
  const { agent, create, post, send, callFaults } = await startExecutionServer(t, { workerCount: 1 });
  const { id } = await create();
  const { json } = await post({ function_id: id, sync: false });
  await until(() => agent.invokes.length === 1);
  const path = `/v1/executions/${String(json['id'])}`;
  assert.equal((await send('DELETE', path)).status, 204);
  assert.equal((await send('GET', path)).status, 404);

  agent.result(agent.invokes[0]!, Outcome.Returned, '"dropped"');
  await until(() => agent.of(Kind.Ack).length === 1);
  assert.equal((await send('GET', path)).status, 404);

  agent.runs = (invoke) => agent.result(invoke);
  assert.equal((await post({ function_id: id })).json['status'], 'success');
  assert.deepEqual(callFaults, []);
});

test('deleting an execution before it starts keeps it from running', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t, { workerCount: 1 });
  const { id } = await create();
  agent.bindsAtOnce = false;
  const first = await post({ function_id: id, sync: false, input: 'first' });
  const second = await post({ function_id: id, sync: false, input: 'second' });
  assert.equal((await send('DELETE', `/v1/executions/${String(first.json['id'])}`)).status, 204);
  await until(() => agent.of(Kind.Bind).length === 1);
  agent.bound(agent.of(Kind.Bind)[0]!);
  await until(() => agent.invokes.length === 1);
  assert.equal(agent.invokes[0]!.executionId, second.json['id']);
});

test('an execution outlives its function', async (t) => {
  const { agent, create, post, send } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  const { json } = await post({ function_id: id });
  assert.equal((await send('DELETE', `/v1/functions/${id}`)).status, 204);
  assert.deepEqual((await send('GET', `/v1/executions/${String(json['id'])}`)).json, json);
  assert.equal((await post({ function_id: id })).status, 404);
});

test('an id that is none is refused, an unknown one is not found, and nothing is put', async (t) => {
  const { agent, create, post, send, sendJson } = await startExecutionServer(t);
  const { id } = await create();
  agent.runs = (invoke) => agent.result(invoke);
  const known = String((await post({ function_id: id })).json['id']);
  const likeKnown = `${known.slice(0, -12)}000000000000`; // the same moment, another rest
  for (const [method, rest] of [
    ['GET', ''],
    ['GET', '/log'],
    ['DELETE', ''],
  ] as const) {
    for (const unknown of [UNKNOWN, likeKnown]) {
      assert.equal((await send(method, `/v1/executions/${unknown}${rest}`)).status, 404, unknown);
    }
    const { status, json } = await send(method, `/v1/executions/x${rest}`);
    assert.equal(status, 400);
    assert.match(json['faultstring'] as string, /^Invalid input for field\/attribute id\. Value: 'x'\./);
  }
  const put = await sendJson('PUT', `/v1/executions/${known}`, {});
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, DELETE, HEAD']);
});

test('a list of more executions than a page is whole and in the order of creation', async (t) => {
  const { send, store } = await startExecutionServer(t);
  assert.deepEqual((await send('GET', '/v1/executions')).json, { executions: [] });
  const records = Array.from({ length: 1_200 }, (_, index) => finalRecord({ description: `number ${index}` }));
  await Promise.all(records.map((record) => store.executions.insert(record, null)));
  const listed = listOf(await send('GET', '/v1/executions?all_projects=true&project_id=neq:x'));
  assert.deepEqual(
    listed.map(({ id, description }) => [id, description]),
    records.map(({ id, description }) => [id, description]),
  );
});

test('an undeclared query argument is refused', async (t) => {
  const { send } = await startExecutionServer(t);
  for (const name of ['function_version', 'fields', '__proto__', 'STATUS', 'constructor']) {
    const { status, json } = await send('GET', `/v1/executions?status=success&${name}=1`);
    assert.deepEqual([status, json['faultstring']], [400, `Unknown argument: "${name}"`]);
  }
  assert.equal((await send('GET', '/v1/executions?all_projects=maybe')).status, 400);
  assert.equal((await send('GET', '/v1/executions?status=%zz')).status, 400);
});

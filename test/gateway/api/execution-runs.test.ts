import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { parseIdempotencyKey } from '../../../gateway/api/idempotency-key.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import { parseInvocationId } from '../../../gateway/invocation-id.ts';
import type { RetryPolicy } from '../../../gateway/store/attempts.ts';
import { Kind, Outcome } from '../../../protocol/message.ts';
import { collect } from '../../support/collect.ts';
import { until } from '../../support/fake-agent.ts';
import { startRunsServer } from '../../support/runs-server.ts';

const POLICY: RetryPolicy = { maxAttempts: 2, backoffSeconds: 3_600, backoffRate: 1, maxBackoffSeconds: 3_600 };
const KNOWN_KEYS = [
  'id',
  'function_id',
  'function_version',
  'function_alias',
  'description',
  'status',
  'sync',
  'input',
  'result',
  'output',
  'project_id',
  'created_at',
  'updated_at',
];

type Json = Record<string, unknown>;

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Json;
}

async function open(t: TestContext) {
  const { rig, server, url } = await startRunsServer(t);
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<Reply> => {
    const response = await fetch(url + path, { ...init, method });
    return { status: response.status, headers: response.headers, json: (await response.json()) as Json };
  };
  const create = (body: Json, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    send('POST', '', { headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
  /** An asynchronous execution that the agent has. */
  const running = async (policy: RetryPolicy | null = null) => {
    const { json } = await create({ function_id: await rig.addFunction(policy), sync: false });
    return { id: json['id'] as string, invoke: await rig.invoke(rig.agent.invokes.length) };
  };
  return { rig, server, url, send, create, running };
}

const faultOf = ({ status, json }: Reply) => [status, json['faultstring']];

describe('executions: what old clients know', () => {
  test('an execution without retries has no field that they do not know', async (t) => {
    const { rig, send, running } = await open(t);
    const { id, invoke } = await running();
    assert.deepEqual(Object.keys((await send('GET', `/${id}`)).json), KNOWN_KEYS);
    rig.agent.result(invoke, Outcome.Failed);
    const { json } = await send('GET', `/${id}?wait=60`);
    assert.deepEqual([Object.keys(json), json['status']], [KNOWN_KEYS, 'failed']);
    const { json: list } = await send('GET', '');
    assert.deepEqual(Object.keys((list['executions'] as Json[])[0]!), KNOWN_KEYS);
  });

  test('one with retries shows its attempts, and when the next is due while it waits', async (t) => {
    const { rig, send, running } = await open(t);
    const { id, invoke } = await running(POLICY);
    const show = async () => (await send('GET', `/${id}`)).json;
    const begun = await show();
    assert.deepEqual(Object.keys(begun), [...KNOWN_KEYS, 'attempts']);
    assert.deepEqual([begun['status'], begun['attempts']], ['running', 1]);
    rig.agent.result(invoke, Outcome.Failed, '"no"');
    const record = await rig.untilRecord(id, ({ attempts }) => attempts!.dueAt !== null);
    const waiting = await show();
    assert.deepEqual([waiting['status'], waiting['result'], waiting['attempts']], ['running', null, 1]);
    assert.equal(waiting['next_attempt_at'], `${new Date(record.attempts!.dueAt!).toISOString().slice(0, 19)}Z`);
  });
});

describe('GET /v1/executions/{id}?wait', () => {
  test('the answer comes when the execution is final', async (t) => {
    const { rig, send, running } = await open(t);
    const { id, invoke } = await running();
    const answer = send('GET', `/${id}?wait=60`);
    await until(() => rig.executions.waiterCount === 1);
    rig.agent.result(invoke, Outcome.Returned, '"done"');
    const { status, json } = await answer;
    assert.deepEqual([status, json['status']], [200, 'success']);
  });

  test('when the time is over it comes as it is', async (t) => {
    const { send, running } = await open(t);
    const { id } = await running();
    for (const wait of ['0', '0.02', '00']) {
      const { status, json } = await send('GET', `/${id}?wait=${wait}`);
      assert.deepEqual([status, json['status']], [200, 'running']);
    }
  });

  test('a client that goes frees its place', async (t) => {
    const { rig, url, running } = await open(t);
    const { id } = await running();
    const client = new AbortController();
    const answer = fetch(`${url}/${id}?wait=60`, { signal: client.signal });
    await until(() => rig.executions.waiterCount === 1);
    client.abort();
    await assert.rejects(answer, { name: 'AbortError' });
    await until(() => rig.executions.waiterCount === 0);
  });

  test('what is no number of seconds up to 60 is refused, and so is what nobody declared', async (t) => {
    const { send, running } = await open(t);
    const { id } = await running();
    for (const wait of ['61', '60.001', '-1', '1e1', 'x', '', '1,5', '0x1', '999999999999', 'NaN', '%00']) {
      const shown = decodeURIComponent(wait);
      const why = 'Value should be a number of seconds, 0 to 60.';
      const text = `Invalid input for field/attribute wait. Value: '${shown}'. ${why}`;
      assert.deepEqual(faultOf(await send('GET', `/${id}?wait=${wait}`)), [400, text]);
    }
    assert.deepEqual(faultOf(await send('GET', `/${id}?waits=1`)), [400, 'Unknown argument: "waits"']);
  });

  test('an unknown execution is not waited for', async (t) => {
    const { send } = await open(t);
    const reply = await send('GET', '/01930000-0000-7000-8000-000000000001?wait=60');
    assert.equal(reply.status, 404);
  });
});

describe('GET /v1/executions/{id}/log?follow', () => {
  test('text comes as it is printed, as text, until the end', async (t) => {
    const { rig, url, running } = await open(t);
    const { id, invoke } = await running();
    const response = await fetch(`${url}/${id}/log?follow=true`);
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/plain; charset=UTF-8']);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const reads = async (awaited: string) => {
      while (!text.includes(awaited)) text += (await reader.read()).value!;
    };
    await reads(`Start execution: ${id}\n`);
    await until(() => rig.agent.of(Kind.Follow).length === 1);
    rig.agent.prints(invoke, 0, 'grüße\n');
    await reads('grüße\n');
    rig.agent.result(invoke, Outcome.Returned, '1', 100, 'grüße\nund Schluss\n');
    await reads(`und Schluss\nFinished execution: ${id}\n`);
    assert.equal((await reader.read()).done, true);
    assert.equal(await (await fetch(`${url}/${id}/log`)).text(), text);
    assert.equal(await (await fetch(`${url}/${id}/log?follow=1`)).text(), text);
    assert.equal(await (await fetch(`${url}/${id}/log?follow=no`)).text(), text);
  });

  test('a client that goes frees its place', async (t) => {
    const { rig, url, running } = await open(t);
    const { id } = await running();
    const client = new AbortController();
    const response = await fetch(`${url}/${id}/log?follow=true`, { signal: client.signal });
    assert.equal(rig.executions.followerCount, 1);
    client.abort();
    await assert.rejects(response.text(), { name: 'AbortError' });
    await until(() => rig.executions.followerCount === 0);
    await until(() => rig.agent.of(Kind.Follow).some(({ isWanted }) => !isWanted));
  });

  test('who asks for the head only gets it, and holds no place', async (t) => {
    const { rig, url, running } = await open(t);
    const { id } = await running();
    const response = await fetch(`${url}/${id}/log?follow=true`, { method: 'HEAD' });
    assert.equal(response.status, 200);
    await until(() => rig.executions.followerCount === 0);
  });

  test('a word that is no boolean, an unknown argument and an unknown execution are refused', async (t) => {
    const { send, running } = await open(t);
    const { id } = await running();
    assert.equal((await send('GET', `/${id}/log?follow=maybe`)).status, 400);
    assert.deepEqual(faultOf(await send('GET', `/${id}/log?fellow=true`)), [400, 'Unknown argument: "fellow"']);
    assert.equal((await send('GET', '/01930000-0000-7000-8000-000000000001/log?follow=true')).status, 404);
  });
});

describe('POST /v1/executions with an Idempotency-Key', () => {
  test('a repeated request is answered with the same execution, and says so', async (t) => {
    const { rig, create } = await open(t);
    const body = { function_id: await rig.addFunction(), sync: false, input: '{"a": 1}' };
    const first = await create(body, { 'Idempotency-Key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' });
    const again = await create(body, { 'idempotency-key': '8e03978e-40d5-43dd-bc93-6894a57f9324' });
    assert.deepEqual([first.status, again.status, again.json['id']], [201, 201, first.json['id']]);
    assert.deepEqual(
      [first, again].map(({ headers }) => headers.get('idempotency-replayed')),
      [null, 'true'],
    );
    const text = 'This Idempotency-Key was used for another request; take a new one.';
    const other = await create(
      { ...body, input: '{"a": 2}' },
      { 'Idempotency-Key': '8e03978e-40d5-43dd-bc93-6894a57f9324' },
    );
    assert.deepEqual([faultOf(other), other.json['faultcode']], [[422, text], 'Client']);
    const without = await create(body);
    assert.notEqual(without.json['id'], first.json['id']);
  });

  test('requests that mean the same are the same, however they are written', async (t) => {
    const { rig, create } = await open(t);
    const function_id = await rig.addFunction();
    const key = { 'Idempotency-Key': 'k' };
    const first = await create({ function_id, sync: false, input: '{"a": 1}' }, key);
    const input = { a: 1 };
    const same = {
      input,
      sync: 'false',
      function_version: '0',
      function_id: function_id.toUpperCase(),
      description: null,
    };
    assert.equal((await create(same, key)).json['id'], first.json['id']);
  });

  test('two that come together run once', async (t) => {
    const { rig, create } = await open(t);
    const body = { function_id: await rig.addFunction() };
    const answers = [0, 1].map(() => create(body, { 'Idempotency-Key': 'together' }));
    rig.agent.result(await rig.invoke(0), Outcome.Returned, '"once"');
    const [first, second] = await Promise.all(answers);
    assert.deepEqual([first!.status, second!.status, second!.json], [201, 201, first!.json]);
    assert.equal(rig.agent.invokes.length, 1);
  });

  test('a key that is too long, or of strange characters, is refused, and runs nothing', async (t) => {
    const { rig, create } = await open(t);
    const body = { function_id: await rig.addFunction(), sync: false };
    for (const key of ['', ' ', '""', 'a b', 'k'.repeat(256), 'grü\u00dfe']) {
      const reply = await create(body, { 'Idempotency-Key': key });
      assert.equal(reply.status, 400, key);
      assert.match(
        reply.json['faultstring'] as string,
        /^Invalid input for header Idempotency-Key\. Value: '[ -~]*'\. /,
      );
    }
    assert.equal((await create(body, { 'Idempotency-Key': 'k'.repeat(255) })).status, 201);
    assert.equal((await collect(rig.store.executions.list({ scope: null, filters: [], limit: 9 }))).length, 1);
  });

  test('any text is a key of bounded length, or refused', () => {
    const property = fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (value) => {
      try {
        assert.match(parseIdempotencyKey(value)!, /^[!-~]{1,255}$/);
      } catch (error) {
        assert.ok(error instanceof QinlingError && error.code === 'INVALID_INPUT' && error.message.length < 300);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('POST /v1/executions/{id}/redrive', () => {
  test('an execution that failed is running again, and ends again', async (t) => {
    const { rig, send, running } = await open(t);
    const { id, invoke } = await running();
    rig.agent.result(invoke, Outcome.Failed, '"no"');
    await send('GET', `/${id}?wait=60`);
    const { status, json } = await send('POST', `/${id}/redrive`);
    assert.deepEqual(
      [status, json['id'], json['status'], json['result'], json['attempts']],
      [200, id, 'running', null, 1],
    );
    rig.agent.result(await rig.invoke(1), Outcome.Returned, '"yes"');
    const { json: ended } = await send('GET', `/${id}?wait=60`);
    assert.deepEqual([ended['status'], ended['output'], ended['attempts']], ['success', '{"result": "yes"}', 2]);
    const text = `Execution ${id} is success; only one that failed can be run again.`;
    assert.deepEqual(faultOf(await send('POST', `/${id}/redrive`)), [409, text]);
  });

  test('a synchronous, an unknown and a malformed one are refused', async (t) => {
    const { rig, send, create } = await open(t);
    const answer = create({ function_id: await rig.addFunction() });
    rig.agent.result(await rig.invoke(0), Outcome.Failed);
    const { json } = await answer;
    const text = 'Only asynchronous executions can be run again.';
    assert.deepEqual(faultOf(await send('POST', `/${String(json['id'])}/redrive`)), [400, text]);
    assert.equal((await send('POST', '/01930000-0000-7000-8000-000000000001/redrive')).status, 404);
    assert.equal((await send('POST', '/x/redrive')).status, 400);
    assert.equal((await send('GET', `/${String(json['id'])}/redrive`)).status, 405);
  });
});

test('the name of an invocation has an attempt, or is taken as it is', () => {
  const id = '01930000-0000-7000-8000-000000000001';
  assert.deepEqual(parseInvocationId(`${id}/12`), { executionId: id, attempt: 12 });
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
    const { executionId, attempt } = parseInvocationId(text);
    assert.ok(Number.isSafeInteger(attempt) && attempt >= 1);
    assert.ok(executionId === text || `${executionId}/${attempt}` === text);
  });
  fc.assert(property);
});

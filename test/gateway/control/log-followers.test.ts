import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { renderLog } from '../../../gateway/control/execution-log.ts';
import { FollowedLog } from '../../../gateway/control/followed-log.ts';
import { openSqliteStore } from '../../../gateway/store/sqlite/sqlite-store.ts';
import { Kind, Outcome } from '../../../protocol/message.ts';
import { accessOf } from '../../support/access.ts';
import { ExecutionsRig, type ExecutionsRigOptions } from '../../support/executions-rig.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';
import { executionLog, executionRecord, success } from '../../support/store-records.ts';
import { databasePath, openThrowAwayStore } from '../../support/throw-away-store.ts';

const MAX_FOLLOWERS = 200;
const access = accessOf('default');

/** Somebody who reads the log of an execution: what came so far, and whether it has ended. */
class Reader {
  text = '';
  readonly ended: Promise<void>;
  readonly #client = new AbortController();
  #onText = (): void => undefined;

  constructor(rig: ExecutionsRig, id: string) {
    this.ended = this.#read(rig, id);
  }

  leave(): void {
    this.#client.abort();
  }

  async reads(text: string): Promise<void> {
    while (!this.text.includes(text)) await new Promise<void>((resolve) => (this.#onText = resolve));
  }

  async #read(rig: ExecutionsRig, id: string): Promise<void> {
    for await (const part of await rig.executions.followLog(access, id, this.#client.signal)) {
      this.text += part;
      this.#onText();
    }
  }
}

async function openRig(t: TestContext, options?: ExecutionsRigOptions): Promise<ExecutionsRig> {
  return ExecutionsRig.open(t, await openThrowAwayStore(t), options);
}

/** A run under way, with a reader whom the agent was told of. */
async function openRead(t: TestContext) {
  const rig = await openRig(t);
  const { id } = await rig.createLater(await rig.addFunction());
  const invoke = await rig.invoke(0);
  const reader = new Reader(rig, id);
  await until(() => rig.agent.of(Kind.Follow).length === 1);
  return { rig, id, invoke, reader };
}

describe('following a log', () => {
  test('text comes as it is printed, and the whole is the log as it is shown later', async (t) => {
    const { rig, id, invoke, reader } = await openRead(t);
    await reader.reads(`Start execution: ${id}\n`);
    rig.agent.prints(invoke, 0, 'one\n');
    await reader.reads('one\n');
    rig.agent.prints(invoke, 4, 'two');
    await reader.reads('two');
    rig.agent.result(invoke, Outcome.Returned, '1', 100, 'one\ntwo and three');
    await reader.ended;
    assert.equal(reader.text, `Start execution: ${id}\none\ntwo and three\nFinished execution: ${id}\n`);
    assert.equal(reader.text, await rig.executions.log(access, id));
  });

  test('nobody is asked while nobody follows', async (t) => {
    const rig = await openRig(t);
    await rig.createLater(await rig.addFunction());
    rig.agent.result(await rig.invoke(0));
    assert.deepEqual(rig.agent.of(Kind.Follow), []);
  });

  test('an agent that tells nothing, or leaves something out, takes nothing from the log', async (t) => {
    const { rig, invoke, id, reader } = await openRead(t);
    rig.agent.prints(invoke, 0, 'one ');
    rig.agent.prints(invoke, 8, 'three');
    rig.agent.prints(invoke, 2, 'e two');
    rig.agent.result(invoke, Outcome.Returned, '1', 100, 'one two three');
    await reader.ended;
    assert.equal(reader.text, await rig.executions.log(access, id));
  });

  test('one that was final before is read whole, one that failed without a trace is empty', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const { id } = await rig.createLater(functionId);
    rig.agent.result(await rig.invoke(0), Outcome.Failed, '"no"', 100, 'trace');
    await rig.untilRecord(id, ({ status }) => status === 'failed');
    const reader = new Reader(rig, id);
    await reader.ended;
    assert.equal(reader.text, `Start execution: ${id}\ntrace\nFinished execution: ${id}\n`);

    const lost = await rig.createLater(functionId);
    await rig.invoke(1);
    rig.links.agentGone('fake');
    await rig.untilRecord(lost.id, ({ status }) => status === 'error');
    const other = new Reader(rig, lost.id);
    await other.ended;
    assert.equal(other.text, '');
  });

  test('a killed function ends its log without the last line', async (t) => {
    const { rig, id, invoke, reader } = await openRead(t);
    rig.agent.result(invoke, Outcome.Killed, '', 100, 'so far');
    await reader.ended;
    assert.equal(reader.text, `Start execution: ${id}\nso far\n`);
    assert.equal(reader.text, await rig.executions.log(access, id));
  });

  test('one that waits for a worker is followed when it begins', async (t) => {
    const rig = await openRig(t, { isAgentAway: true });
    const { id } = await rig.createLater(await rig.addFunction());
    const reader = new Reader(rig, id);
    await reader.reads('Start execution');
    rig.agent.connect();
    const invoke = await rig.invoke(0);
    await until(() => rig.agent.of(Kind.Follow).length === 1);
    rig.agent.prints(invoke, 0, 'text');
    await reader.reads('text');
    rig.agent.result(invoke);
    await reader.ended;
  });

  test('each attempt is read with its own first and last line', async (t) => {
    const rig = await openRig(t);
    const policy = { maxAttempts: 3, backoffSeconds: 0, backoffRate: 1, maxBackoffSeconds: 1 };
    const { id } = await rig.createLater(await rig.addFunction(policy));
    const first = await rig.invoke(0);
    const reader = new Reader(rig, id);
    await until(() => rig.agent.of(Kind.Follow).length === 1);
    rig.agent.prints(first, 0, 'first');
    rig.agent.result(first, Outcome.Failed, '"no"', 100, 'first');
    const second = await rig.invoke(1);
    await until(() => rig.agent.of(Kind.Follow).length === 2);
    rig.agent.prints(second, 0, 'sec');
    await reader.reads('sec');
    rig.agent.result(second, Outcome.Killed, '', 100, 'second');
    rig.agent.result(await rig.invoke(2), Outcome.Returned, '1', 100, 'third');
    await reader.ended;
    const [start, finish] = [`Start execution: ${id}\n`, `Finished execution: ${id}\n`];
    assert.equal(reader.text, `${start}first\n${finish}${start}second\n${start}third\n${finish}`);
  });

  test('a reader that leaves frees its place, and the agent is told of the last one', async (t) => {
    const { rig, id, invoke, reader } = await openRead(t);
    const other = new Reader(rig, id);
    await until(() => rig.agent.of(Kind.Follow).length === 2);
    reader.leave();
    await reader.ended;
    rig.agent.prints(invoke, 0, 'text');
    await other.reads('text');
    other.leave();
    await other.ended;
    await until(() => rig.agent.of(Kind.Follow).some(({ isWanted }) => !isWanted));
    assert.doesNotMatch(reader.text, /text/);
    rig.agent.result(invoke);
  });

  test('a synchronous execution that lasts can be followed', async (t) => {
    const rig = await openRig(t);
    const answer = rig.create(await rig.addFunction());
    const invoke = await rig.invoke(0);
    const id = invoke.executionId;
    await rig.untilRecord(id, ({ status }) => status === 'running'); // it has lasted long enough to have a record
    const reader = new Reader(rig, id);
    await until(() => rig.agent.of(Kind.Follow).length === 1);
    rig.agent.prints(invoke, 0, 'text');
    await reader.reads('text');
    rig.agent.result(invoke, Outcome.Returned, '1', 100, 'text');
    await Promise.all([answer, reader.ended]);
    assert.equal(reader.text, await rig.executions.log(access, id));
  });

  test('the log of a run that an agent brought from an earlier process is followed', async (t) => {
    const path = databasePath();
    const before = await openSqliteStore({ path, synchronous: 'normal' });
    const record = executionRecord({ isSync: false });
    await before.executions.insert(record, null);
    await before.close();

    const store = await openSqliteStore({ path, synchronous: 'normal' });
    t.after(() => store.close());
    const rig = await ExecutionsRig.open(t, store, { returnGraceMs: 600_000, hello: { held: [[5, record.id]] } });
    const invoke = { kind: Kind.Invoke, slot: 5, worker: 0, executionId: record.id, timeoutMs: 1, input: Buffer.of() };
    const reader = new Reader(rig, record.id);
    await until(() => rig.agent.of(Kind.Follow).length === 1);
    rig.agent.prints(invoke, 0, 'text');
    await reader.reads('text');
    rig.agent.result(invoke, Outcome.Returned, '1', 100, 'text');
    await reader.ended;
    assert.equal(reader.text, await rig.executions.log(access, record.id));
  });

  test('the log of a run of another process comes when it is final', async (t) => {
    const path = databasePath();
    const [one, two] = [
      await openSqliteStore({ path, synchronous: 'normal' }),
      await openSqliteStore({ path, synchronous: 'normal' }),
    ];
    t.after(() => Promise.all([one.close(), two.close()]));
    const rig = await ExecutionsRig.open(t, two);
    const record = executionRecord({ isSync: false });
    await one.executions.insert(record, null);
    const reader = new Reader(rig, record.id);
    await reader.reads('Start execution');
    await one.executions.settle(record.id, success({ log: executionLog('printed elsewhere\n') }));
    await reader.ended;
    assert.equal(reader.text, await rig.executions.log(access, record.id));
    assert.match(reader.text, /\nprinted elsewhere\nFinished/);
  });

  test('an agent that comes back goes on where it was, and nothing comes twice', async (t) => {
    const { rig, id, invoke, reader } = await openRead(t);
    rig.agent.prints(invoke, 0, 'one ');
    await reader.reads('one');
    rig.agent.lose();
    const held: [number, string][] = [[invoke.slot, invoke.executionId]];
    const hello = { instanceId: rig.agent.instanceId, protocolVersion: 2, held };
    const back = new FakeAgent(rig.links, hello).connect();
    await until(() => back.of(Kind.Follow).length === 1);
    back.prints(invoke, 0, 'one two ');
    await reader.reads('two');
    back.result(invoke, Outcome.Returned, '1', 100, 'one two three');
    await reader.ended;
    assert.equal(reader.text, `Start execution: ${id}\none two three\nFinished execution: ${id}\n`);
  });

  test('a process that ends, and a deleted execution, end the reading', async (t) => {
    const { rig, id, invoke, reader } = await openRead(t);
    rig.agent.prints(invoke, 0, 'text');
    await reader.reads('text');
    const { id: other } = await rig.createLater(await rig.addFunction());
    const second = new Reader(rig, other);
    await second.reads('Start');
    await rig.executions.delete(access, other);
    await second.ended;
    await rig.executions.drain(0);
    await reader.ended;
    assert.equal(reader.text, `Start execution: ${id}\ntext`);
    const late = new Reader(rig, id);
    await late.ended;
    assert.equal(late.text, '');
  });

  test('more than so many readers are refused, until one goes', async (t) => {
    const { rig, id, invoke, reader } = await openRead(t);
    const others = Array.from({ length: MAX_FOLLOWERS - 1 }, () => new Reader(rig, id));
    await Promise.all(others.map((other) => other.reads('Start')));
    await assert.rejects(new Reader(rig, id).ended, { code: 'TOO_MANY_WAITERS' });
    reader.leave();
    await reader.ended;
    const next = new Reader(rig, id);
    await next.reads('Start');
    rig.agent.result(invoke, Outcome.Returned, '1', 100, 'for all');
    await Promise.all([next, ...others].map(({ ended }) => ended));
    for (const { text } of [next, ...others]) assert.match(text, /for all/);
  });

  test('an unknown execution, and one of another project, is not found', async (t) => {
    const { rig, id } = await openRead(t);
    const { signal } = new AbortController();
    await assert.rejects(rig.executions.followLog(accessOf('other'), id, signal), { code: 'NOT_FOUND' });
    await assert.rejects(rig.executions.followLog(access, 'unknown', signal), { code: 'NOT_FOUND' });
  });
});

describe('a followed log', () => {
  test('no more is taken than is kept, whatever an agent sends', async () => {
    const followed = new FollowedLog('an-execution');
    for (const offset of [0, 60_000, 120_000, 65_536, 65_535, 65_537]) followed.take(offset, Buffer.alloc(60_000, 'x'));
    followed.take(65_536, Buffer.alloc(60_000, 'x'));
    followed.close();
    assert.equal(await followed.next(), `Start execution: an-execution\n${'x'.repeat(65_536)}`);
  });

  test('whatever parts of it came before, in all it is the log that is kept', async () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    const texts = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => Buffer.from(text));
    const pieces = fc.array(fc.tuple(fc.nat(50), fc.nat(20)), { maxLength: 10 });
    const flags = fc.record({ isCut: fc.boolean(), isFinished: fc.boolean() });
    const property = fc.asyncProperty(fc.oneof(bytes, texts), pieces, flags, async (text, parts, ends) => {
      const record = executionRecord({ status: 'failed' });
      const followed = new FollowedLog(record.id);
      for (const [start, length] of parts) followed.take(start, text.subarray(start, start + length));
      const log = { text, ...ends };
      followed.end(record.status, log);
      followed.close();
      let read = '';
      for (;;) {
        const part = await followed.next();
        if (part === undefined) break;
        read += part;
      }
      assert.equal(read, renderLog(record, log));
    });
    await fc.assert(property, { numRuns: 500 });
  });
});

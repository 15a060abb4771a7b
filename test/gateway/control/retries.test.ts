import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { RetryPolicy } from '../../../gateway/store/attempts.ts';
import { openSqliteStore } from '../../../gateway/store/sqlite/sqlite-store.ts';
import type { ExecutionRecord } from '../../../gateway/store/store.ts';
import { Outcome } from '../../../protocol/message.ts';
import { accessOf } from '../../support/access.ts';
import { ExecutionsRig, type ExecutionsRigOptions } from '../../support/executions-rig.ts';
import { FakeAgent, until } from '../../support/fake-agent.ts';
import { databasePath, openThrowAwayStore } from '../../support/throw-away-store.ts';

const HOUR_MS = 3_600_000;
const AT_ONCE: RetryPolicy = { maxAttempts: 3, backoffSeconds: 0, backoffRate: 2, maxBackoffSeconds: 60 };
const IN_AN_HOUR: RetryPolicy = { ...AT_ONCE, backoffSeconds: 3_600, maxBackoffSeconds: 86_400 };

const isFinal = ({ status }: ExecutionRecord) => status !== 'running';
const waits = ({ attempts }: ExecutionRecord) => attempts !== null && attempts.dueAt !== null;

async function openRig(t: TestContext, options?: ExecutionsRigOptions): Promise<ExecutionsRig> {
  return ExecutionsRig.open(t, await openThrowAwayStore(t), options);
}

/** A gateway process on a database file, and the next one after it was killed. */
async function openProcess(t: TestContext, path: string, options?: ExecutionsRigOptions) {
  const store = await openSqliteStore({ path, synchronous: 'normal' });
  t.after(() => store.close());
  const rig = await ExecutionsRig.open(t, store, options);
  const kill = async () => {
    await store.close(); // nothing that follows reaches the file
    rig.close();
  };
  return { rig, kill };
}

describe('retries', () => {
  test('an execution that failed runs again, until it succeeds, with the number of its attempt', async (t) => {
    const rig = await openRig(t);
    const { id } = await rig.createLater(await rig.addFunction(AT_ONCE));

    const first = await rig.invoke(0);
    rig.agent.result(first, Outcome.Failed, '"first"', 100, 'printed by the first');
    await rig.acknowledged(first);
    const second = await rig.invoke(1);
    rig.agent.result(second, Outcome.Returned, '"second"');

    assert.deepEqual([first.executionId, second.executionId], [`${id}/1`, `${id}/2`]);
    const record = await rig.untilRecord(id, isFinal);
    assert.deepEqual([record.status, record.output], ['success', '"second"']);
    assert.deepEqual(record.attempts, { number: 2, first: 1, policy: AT_ONCE, dueAt: null });
    assert.equal(await rig.store.executions.getLog(id), null);
    assert.deepEqual(rig.faults, []);
  });

  test('the last failure is final, and tells how often it was tried', async (t) => {
    const rig = await openRig(t);
    const { id } = await rig.createLater(await rig.addFunction(AT_ONCE));
    for (let attempt = 1; attempt <= AT_ONCE.maxAttempts; attempt++) {
      rig.agent.result(await rig.invoke(attempt - 1), Outcome.Failed, `"${attempt}"`);
    }
    const record = await rig.untilRecord(id, isFinal);
    assert.deepEqual([record.status, record.output, record.attempts!.number], ['failed', '"3"', 3]);
    assert.equal(rig.agent.invokes.length, 3);
  });

  test('a lost worker is an attempt too', async (t) => {
    const rig = await openRig(t);
    const { id } = await rig.createLater(await rig.addFunction(AT_ONCE));
    await rig.invoke(0);
    rig.links.agentGone('fake');
    await rig.untilRecord(id, ({ attempts }) => attempts?.number === 2);

    const other = new FakeAgent(rig.links, { agentName: 'other' }).connect();
    rig.agent.received.length = 0;
    const second = await rig.invoke(0, other);
    other.result(second);
    assert.deepEqual((await rig.untilRecord(id, isFinal)).status, 'success');
  });

  test('without a policy nothing runs twice', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction();
    const failed = await rig.createLater(functionId);
    const lost = await rig.createLater(functionId);
    rig.agent.result(await rig.invoke(0), Outcome.Failed);
    const second = await rig.invoke(1);
    assert.equal(second.executionId, lost.id);
    rig.links.agentGone('fake');

    const records = [await rig.untilRecord(failed.id, isFinal), await rig.untilRecord(lost.id, isFinal)];
    assert.deepEqual(
      records.map(({ status, attempts }) => [status, attempts]),
      [
        ['failed', null],
        ['error', null],
      ],
    );
    assert.equal(await rig.store.executions.nextDueAt(0), undefined);
  });

  test('a synchronous execution runs once, whatever its function says', async (t) => {
    const rig = await openRig(t);
    const answer = rig.create(await rig.addFunction(AT_ONCE));
    const invoke = await rig.invoke(0);
    rig.agent.result(invoke, Outcome.Failed);
    const { record } = await answer;
    assert.deepEqual([record.status, record.attempts, invoke.executionId], ['failed', null, record.id]);
  });

  test('between two attempts it waits as long as the policy says, and is running meanwhile', async (t) => {
    const rig = await openRig(t);
    const { id } = await rig.createLater(await rig.addFunction(IN_AN_HOUR));
    const before = Date.now();
    rig.agent.result(await rig.invoke(0), Outcome.Failed, '"first"', 100, 'printed');
    const record = await rig.untilRecord(id, waits);
    const { dueAt } = record.attempts!;
    assert.ok(dueAt! >= before + HOUR_MS && dueAt! <= Date.now() + HOUR_MS, String(dueAt));
    assert.deepEqual([record.status, record.output, record.isStarted], ['running', null, false]);
    assert.match(await rig.executions.log(accessOf('default'), id), /^Start .*\nprinted\nFinished .*\n$/);
    assert.equal(rig.agent.invokes.length, 1);
  });

  test('an attempt that waits is deleted with its execution', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction({ ...AT_ONCE, backoffSeconds: 0.05 });
    const { id } = await rig.createLater(functionId);
    rig.agent.result(await rig.invoke(0), Outcome.Failed);
    await rig.untilRecord(id, waits);
    await rig.executions.delete(accessOf('default'), id);

    const other = await rig.createLater(functionId); // its second attempt is due after that of the deleted one
    rig.agent.result(await rig.invoke(1), Outcome.Failed);
    assert.equal((await rig.invoke(2)).executionId, `${other.id}/2`);
  });

  test('an execution whose function is gone ends with an error, and waits no more', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction({ ...AT_ONCE, backoffSeconds: 0.02 });
    const { id } = await rig.createLater(functionId);
    const first = await rig.invoke(0);
    await rig.deleteFunction(functionId);
    rig.agent.result(first, Outcome.Failed);
    const record = await rig.untilRecord(id, isFinal);
    assert.deepEqual([record.status, record.attempts!.dueAt], ['error', null]);
  });

  test('a late result of an earlier attempt does not end a later one', async (t) => {
    const rig = await openRig(t);
    const { id } = await rig.createLater(await rig.addFunction(AT_ONCE));
    const first = await rig.invoke(0);
    rig.links.agentGone('fake');
    const other = new FakeAgent(rig.links, { agentName: 'other' }).connect();
    const second = await rig.invoke(0, other);

    const held: [number, string][] = [[first.slot, first.executionId]];
    const back = new FakeAgent(rig.links, { agentName: 'back', held }).connect();
    back.result(first, Outcome.Returned, '"late"');
    await rig.acknowledged(first, back);

    const running = (await rig.store.executions.get(id, null))!;
    assert.deepEqual([running.status, running.attempts!.number], ['running', 2]);
    other.result(second, Outcome.Returned, '"in time"');
    assert.equal((await rig.untilRecord(id, isFinal)).output, '"in time"');
    assert.deepEqual(rig.faults, []);
  });

  test('what an agent calls an invocation is nothing to trust', async (t) => {
    const rig = await openRig(t);
    const { id } = await rig.createLater(await rig.addFunction(AT_ONCE));
    const first = await rig.invoke(0);
    const names = [
      `${id}/0`,
      `${id}/2`,
      `${id}/99999999999999999999`,
      `${id}/`,
      `/${id}`,
      '',
      '/',
      'x'.repeat(100_000),
    ];
    const held = names.map((name, index): [number, string] => [index + 10, name]);
    const stranger = new FakeAgent(rig.links, { agentName: 'stranger', held }).connect();
    for (const [slot] of held) stranger.result({ ...first, slot });
    for (const [slot] of held) await rig.acknowledged({ ...first, slot }, stranger);
    assert.equal((await rig.store.executions.get(id, null))!.status, 'running');
    assert.deepEqual(rig.faults, []);
  });
});

describe('retries and restarts', () => {
  test('an attempt that waits outlives the process, and starts once in the next', async (t) => {
    const path = databasePath();
    const { rig: before, kill } = await openProcess(t, path);
    const functionId = await before.addFunction({ ...AT_ONCE, backoffSeconds: 5 }); // the first process ends before
    const { id } = await before.createLater(functionId);
    before.agent.result(await before.invoke(0), Outcome.Failed);
    await before.untilRecord(id, waits);
    await kill();

    const { rig: after } = await openProcess(t, path);
    after.agent.result(await after.invoke(0));
    const record = await after.untilRecord(id, isFinal);
    assert.deepEqual([record.status, record.attempts!.number], ['success', 2]);
    assert.deepEqual(
      after.agent.invokes.map(({ executionId }) => executionId),
      [`${id}/2`],
    );
    assert.equal(before.agent.invokes.length, 1);
  });

  test('an attempt that was under way when the process ended counts, and the next follows', async (t) => {
    const path = databasePath();
    const { rig: before, kill } = await openProcess(t, path);
    const functionId = await before.addFunction(AT_ONCE);
    const { id } = await before.createLater(functionId);
    await before.invoke(0);
    await kill();

    const { rig: after } = await openProcess(t, path);
    const second = await after.invoke(0);
    assert.equal(second.executionId, `${id}/2`);
    after.agent.result(second);
    await after.untilRecord(id, isFinal);
  });

  test('an agent that outlives the process brings the end of its attempt, and the next follows a failure', async (t) => {
    const path = databasePath();
    const { rig: before, kill } = await openProcess(t, path);
    const functionId = await before.addFunction(AT_ONCE);
    const { id } = await before.createLater(functionId);
    const first = await before.invoke(0);
    await kill();

    const held: [number, string][] = [[first.slot, first.executionId]];
    const options = { returnGraceMs: 600_000, hello: { instanceId: before.agent.instanceId, held } };
    const { rig: after } = await openProcess(t, path, options);
    after.agent.result(first, Outcome.Failed, '"first"');
    await after.acknowledged(first);
    const second = await after.invoke(0);
    assert.equal(second.executionId, `${id}/2`);
  });

  test('a process that ends starts no attempt, and says nothing of it', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction({ ...AT_ONCE, backoffSeconds: 0.02 });
    const { id } = await rig.createLater(functionId);
    const first = await rig.invoke(0);
    const drained = rig.executions.drain(60_000);
    rig.agent.result(first, Outcome.Failed);
    await drained;
    const record = await rig.untilRecord(id, waits);
    assert.equal(record.status, 'running');
    await until(() => Date.now() > record.attempts!.dueAt!);
    assert.equal(rig.agent.invokes.length, 1);
    assert.equal((await rig.store.executions.takeDue(Date.now(), 9)).length, 1);
  });
});

describe('redrive', () => {
  async function failedOne(t: TestContext, policy: RetryPolicy | null = null) {
    const rig = await openRig(t);
    const functionId = await rig.addFunction(policy);
    const { id } = await rig.createLater(functionId);
    for (let attempt = 1; attempt <= (policy?.maxAttempts ?? 1); attempt++) {
      rig.agent.result(await rig.invoke(attempt - 1), Outcome.Failed, '"no"', 100, 'printed');
    }
    await rig.untilRecord(id, isFinal);
    return { rig, functionId, id };
  }

  test('an execution that failed runs again, without its old result and log', async (t) => {
    const { rig, id } = await failedOne(t);

    const redriven = await rig.executions.redrive(accessOf('default'), id);

    assert.deepEqual([redriven.status, redriven.output, redriven.durationSeconds], ['running', null, null]);
    assert.equal(await rig.executions.log(accessOf('default'), id), '');
    const second = await rig.invoke(1);
    assert.equal(second.executionId, `${id}/2`);
    rig.agent.result(second, Outcome.Failed, '"again"');
    const record = await rig.untilRecord(id, isFinal);
    assert.deepEqual([record.output, record.attempts!.number], ['"again"', 2]);
    assert.equal((await rig.store.functions.get(record.functionId, null))!.count, 1);
  });

  test('it has as many attempts as at first, and they are counted on', async (t) => {
    const { rig, id } = await failedOne(t, AT_ONCE);
    await rig.executions.redrive(accessOf('default'), id);
    for (const attempt of [4, 5, 6]) {
      const invoke = await rig.invoke(attempt - 1);
      assert.equal(invoke.executionId, `${id}/${attempt}`);
      rig.agent.result(invoke, Outcome.Failed);
    }
    const record = await rig.untilRecord(id, isFinal);
    assert.deepEqual(record.attempts, { number: 6, first: 4, policy: AT_ONCE, dueAt: null });
  });

  test('two that come together run it once', async (t) => {
    const { rig, id } = await failedOne(t);
    const both = [0, 1].map(() => rig.executions.redrive(accessOf('default'), id));
    const ends = await Promise.allSettled(both);
    assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    rig.agent.result(await rig.invoke(1));
    await rig.untilRecord(id, isFinal);
    assert.equal(rig.agent.invokes.length, 2);
  });

  test('one that runs, waits, succeeded, or is synchronous is refused', async (t) => {
    const rig = await openRig(t);
    const functionId = await rig.addFunction(IN_AN_HOUR);
    const redrive = (id: string) => rig.executions.redrive(accessOf('default'), id);
    const { id } = await rig.createLater(functionId);
    const isConflict = { code: 'CONFLICT', message: new RegExp(`^Execution ${id} is running; `) };
    const first = await rig.invoke(0);
    await assert.rejects(redrive(id), isConflict);
    rig.agent.result(first, Outcome.Failed);
    await rig.untilRecord(id, waits);
    await assert.rejects(redrive(id), isConflict);

    const succeeded = await rig.createLater(functionId);
    rig.agent.result(await rig.invoke(1));
    await rig.untilRecord(succeeded.id, isFinal);
    await assert.rejects(redrive(succeeded.id), { code: 'CONFLICT', message: /is success/ });

    const answer = rig.create(functionId);
    rig.agent.result(await rig.invoke(2), Outcome.Failed);
    await assert.rejects(redrive((await answer).record.id), { code: 'INVALID_INPUT', message: /Only asynchronous/ });
  });

  test('an unknown one, and one of another project, is not found', async (t) => {
    const { rig, id } = await failedOne(t);
    await assert.rejects(rig.executions.redrive(accessOf('other'), id), { code: 'NOT_FOUND' });
    await assert.rejects(rig.executions.redrive(accessOf('default'), `${id.slice(0, -4)}0000`), { code: 'NOT_FOUND' });
    assert.equal((await rig.store.executions.get(id, null))!.status, 'failed');
  });

  test('without a function that can run it stays as it is', async (t) => {
    const { rig, functionId, id } = await failedOne(t);
    const redrive = () => rig.executions.redrive(accessOf('default'), id);
    rig.isRunnable = false;
    await assert.rejects(redrive(), { code: 'CONFLICT' });
    await rig.deleteFunction(functionId);
    await assert.rejects(redrive(), { code: 'NOT_FOUND', message: /^Function not found/ });
    await rig.executions.drain(0);
    await assert.rejects(redrive(), { code: 'SHUTTING_DOWN' });
    const record = (await rig.store.executions.get(id, null))!;
    assert.deepEqual([record.status, record.output, record.attempts], ['failed', '"no"', null]);
  });
});

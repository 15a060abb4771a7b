import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../support/collect.ts';
import { executionLog, finalRecord, functionRecord, runtimeRecord } from '../support/store-records.ts';
import type { OpenStore } from './store.ts';

export function writePromises(open: OpenStore): void {
  test('a reader sees the writes that were called before it, also unawaited ones', async (t) => {
    const { runtimes, functions, executions } = await open(t);
    const [runtime, aFunction, execution] = [runtimeRecord(), functionRecord(), finalRecord()];
    const writes = [runtimes.insert(runtime), functions.insert(aFunction), executions.insert(execution, null)];

    assert.deepEqual(await runtimes.get(runtime.id), runtime);
    assert.deepEqual(await functions.get(aFunction.id, null), aFunction);
    assert.deepEqual(await executions.get(execution.id, null), execution);
    assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 10 })), [execution]);
    const deletion = executions.delete(execution.id);
    assert.equal(await executions.get(execution.id, null), undefined);
    await Promise.all([...writes, deletion]);
  });

  test('a failed group rejects all of its writes and leaves none of them behind', async (t) => {
    const { functions, executions } = await open(t);
    const aFunction = functionRecord();
    await functions.insert(aFunction);
    const record = finalRecord({ functionId: aFunction.id });
    const neighbour = finalRecord({ functionId: aFunction.id, projectId: 'seen first in this group' });

    const group = [neighbour, record, record].map((one) => executions.insert(one, executionLog('lost')));
    const ends = await Promise.allSettled(group);

    assert.deepEqual(
      ends.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    assert.deepEqual(await collect(executions.list({ scope: null, filters: [], limit: 10 })), []);
    assert.equal(await executions.getLog(record.id), undefined);
    assert.deepEqual(await functions.get(aFunction.id, null), aFunction);
  });

  test('after a failed group the next one is written', async (t) => {
    const { functions, executions } = await open(t);
    const aFunction = functionRecord();
    await functions.insert(aFunction);
    const failed = finalRecord({ functionId: aFunction.id, projectId: 'new' });
    await Promise.allSettled([executions.insert(failed, null), executions.insert(failed, null)]);

    await Promise.all([executions.insert(failed, null), executions.insert(finalRecord({ projectId: 'newer' }), null)]);

    assert.deepEqual(await executions.get(failed.id, null), failed);
    const ofNew = [{ field: 'projectId', operator: 'eq', values: ['new'] }] as const;
    assert.deepEqual(await collect(executions.list({ scope: null, filters: ofNew, limit: 10 })), [failed]);
    assert.equal((await functions.get(aFunction.id, null))!.count, 1);
  });

  test('closing commits what is pending, may be asked twice, and refuses what comes after', async (t) => {
    const store = await open(t);
    const pending = store.executions.insert(finalRecord(), null);

    await Promise.all([store.close(), store.close()]);

    await pending;
    await assert.rejects(store.executions.insert(finalRecord(), null));
    await assert.rejects(collect(store.executions.list({ scope: null, filters: [], limit: 1 })));
  });
}

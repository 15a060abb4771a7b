import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';
import { zipOf } from '../support/zip.ts';

const GREETING = `
def main(name='nobody', times=None):
    print('greeting', name)
    return ['hello', name, times]
`;
function inMs(delayMs: number): string {
  return new Date(Date.now() + delayMs).toISOString().replace('T', ' ').slice(0, 23); // as Python prints a time
}

// Side by side, because one of them waits for more than a minute.
describe('jobs and webhooks', { concurrency: true }, () => {
  let url: string;
  let api: Api;
  let functionId: string;

  const cleanUps: (() => Promise<void> | void)[] = [];
  const cleaner = { after: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
  after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  before(async () => {
    const { path: folder } = makeFolder(cleaner);
    ({ url } = await Server.start(cleaner, folder));
    api = new Api(url);
    ({ id: functionId } = await api.createFunction({ files: { 'main.py': GREETING } }));
  });

  const executionsOf = async (maker: string): Promise<Resource[]> => {
    const { executions } = await api.get<{ executions: Resource[] }>(`/v1/executions?description=has:${maker}`);
    return executions;
  };
  const createJob = async (fields: object): Promise<Resource> => {
    const { status, text } = await api.request('POST', '/v1/jobs', { function_id: functionId, ...fields });
    assert.equal(status, 201, text);
    return JSON.parse(text) as Resource;
  };
  const untilEnded = (id: unknown) =>
    api.until(`/v1/executions/${String(id)}`, (execution) => execution['status'] !== 'running');

  test('a job of one time, a minute from now, runs then and once', async () => {
    const job = await createJob({ first_execution_time: inMs(61_000), function_input: { name: 'job' } });

    const done = await api.until(`/v1/jobs/${job.id}`, ({ status }) => status !== 'running');

    assert.deepEqual([done['status'], done['count']], ['done', 0]);
    const [execution, ...more] = await executionsOf(job.id);
    assert.deepEqual(more, []);
    assert.equal(execution!['description'], `Created by Job ${job.id}`);
    assert.ok(String(execution!['created_at']) >= String(job['first_execution_time']), 'not before its time');
    const ended = await untilEnded(execution!.id);
    assert.deepEqual(resultOf(ended).output, ['hello', 'job', null]);
    assert.equal(ended['sync'], false);
  });

  test('a job with a pattern runs at its matches until its count is used up', async () => {
    const job = await createJob({ pattern: '* * * * * *', count: 3, name: 'every second' });
    assert.equal((await createJob({ pattern: '0 0 1 1 *' }))['status'], 'running');

    const done = await api.until(`/v1/jobs/${job.id}`, ({ status }) => status !== 'running');

    assert.deepEqual([done['status'], done['count']], ['done', 0]);
    const executions = await executionsOf(job.id);
    assert.equal(executions.length, 3);
    for (const { id } of executions) assert.equal((await untilEnded(id))['status'], 'success');
  });

  test('a paused job does not run, and goes on when it is let', async () => {
    const job = await createJob({ pattern: '0 0 1 1 *', count: 1 });
    const put = async (fields: object) => {
      const { status, text } = await api.request('PUT', `/v1/jobs/${job.id}`, fields);
      assert.equal(status, 200, text);
      return JSON.parse(text) as Resource;
    };

    assert.equal((await put({ status: 'paused', pattern: '* * * * * *' }))['status'], 'paused');
    const other = await createJob({ pattern: '* * * * * *', count: 2 });
    await api.until(`/v1/jobs/${other.id}`, ({ status }) => status === 'done'); // two seconds at least
    assert.deepEqual(await executionsOf(job.id), []);
    assert.equal((await put({ status: 'running' }))['status'], 'running');

    await api.until(`/v1/jobs/${job.id}`, ({ status }) => status === 'done');
    assert.equal((await executionsOf(job.id)).length, 1);
  });

  test('a webhook runs its function with what is posted to its URL, once a call', async () => {
    const { text } = await api.request('POST', '/v1/webhooks', { function_id: functionId });
    const { id, webhook_url: webhookUrl } = JSON.parse(text) as Resource;

    const answer = await fetch(`${String(webhookUrl)}?times=2`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'qinling' }),
    });

    assert.equal(answer.status, 202);
    const { execution_id: executionId } = (await answer.json()) as { execution_id: string };
    const ended = await untilEnded(executionId);
    assert.deepEqual(resultOf(ended).output, ['hello', 'qinling', '2']);
    assert.match(await api.log(executionId), /\ngreeting qinling\n/);
    const [execution, ...more] = await executionsOf(id);
    assert.deepEqual([execution!.id, more], [executionId, []]);
    assert.deepEqual(
      [execution!['description'], execution!['function_alias'], execution!['function_version'], execution!['sync']],
      [`Created by Webhook ${id}`, null, 0, false],
    );
  });

  test('jobs and webhooks run a version, and what an alias means at that moment', async () => {
    const { id } = await api.createFunction({ files: { 'main.py': 'def main():\n    return "old"\n' } });
    const must = async (method: string, path: string, body: object): Promise<Resource> => {
      const { status, text } = await api.request(method, path, body);
      assert.ok(status < 300, text);
      return JSON.parse(text) as Resource;
    };
    await must('POST', `/v1/functions/${id}/versions`, {});
    const form = new FormData();
    form.set('package', new Blob([zipOf({ 'main.py': 'def main():\n    return "new"\n' })]), 'p.zip');
    assert.equal((await fetch(`${url}/v1/functions/${id}`, { method: 'PUT', body: form })).status, 200);
    await must('POST', '/v1/aliases', { name: 'live', function_id: id, function_version: 0 });
    const byVersion = await must('POST', '/v1/webhooks', { function_id: id, function_version: 1 });
    const byAlias = await must('POST', '/v1/webhooks', { function_alias: 'live' });
    const callOf = async ({ webhook_url: webhookUrl }: Resource) => {
      const answer = await fetch(String(webhookUrl), { method: 'POST' });
      const { execution_id: executionId } = (await answer.json()) as { execution_id: string };
      const ended = await untilEnded(executionId);
      return [resultOf(ended).output, ended['function_id'], ended['function_version'], ended['function_alias']];
    };

    assert.deepEqual(await callOf(byVersion), ['old', id, 1, null]);
    assert.deepEqual(await callOf(byAlias), ['new', id, 0, null]);
    const job = await createJob({ function_id: null, function_alias: 'live', pattern: '0 0 1 1 *', count: 1 });
    await must('PUT', '/v1/aliases/live', { function_version: 1 });
    assert.deepEqual(await callOf(byAlias), ['old', id, 1, null]);
    await must('PUT', `/v1/jobs/${job.id}`, { pattern: '* * * * * *' });
    await api.until(`/v1/jobs/${job.id}`, ({ status }) => status === 'done');
    const [execution] = await executionsOf(job.id);
    const ended = await untilEnded(execution!.id);
    assert.deepEqual([resultOf(ended).output, ended['function_version']], ['old', 1]);
  });
});

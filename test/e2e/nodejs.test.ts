import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, resultOf } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

const WITH_PROMISE = `
const { setTimeout: sleep } = require('node:timers/promises');
exports.main = async (context, input) => {
  console.log('greeting', input.name);
  await sleep(10);
  return { greeting: 'Grüezi ' + input.name, context };
};
exports.fail = async () => { throw new Error('no luck'); };
`;

test('a Node.js function may answer with a promise', async (t) => {
  const api = new Api((await Server.start(t, makeFolder(t).path)).url);
  const { id } = await api.createFunction({ runtime: 'nodejs', files: { 'main.js': WITH_PROMISE } });

  const execution = await api.execute(id, { name: 'Jürg' });

  assert.equal(execution['status'], 'success', JSON.stringify(execution));
  assert.deepEqual(resultOf(execution).output, { greeting: 'Grüezi Jürg', context: {} });
  const lines = (await api.log(execution.id)).split('\n');
  assert.deepEqual(lines, [
    `Start execution: ${execution.id}`,
    'greeting Jürg',
    `Finished execution: ${execution.id}`,
    '',
  ]);
});

test('a promise that is rejected fails the execution, and the next one works', async (t) => {
  const api = new Api((await Server.start(t, makeFolder(t).path)).url);
  const files = { 'main.js': WITH_PROMISE };
  const failing = await api.createFunction({ runtime: 'nodejs', files, entry: 'main.fail' });
  const working = await api.createFunction({ runtime: 'nodejs', files });

  const failed = await api.execute(failing.id);
  assert.equal(failed['status'], 'failed');
  assert.equal(resultOf(failed).output, 'no luck');
  assert.match(await api.log(failed.id), /Error: no luck\n +at /);

  assert.equal((await api.execute(working.id, { name: 'x' }))['status'], 'success');
});

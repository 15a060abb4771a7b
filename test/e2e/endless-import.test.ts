import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, resultOf } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

/** On its own, because it takes as long as a package may take to be fetched and imported. */
test('a module whose import never ends fails its executions, and other functions work meanwhile', async (t) => {
  const api = new Api((await Server.start(t, makeFolder(t).path)).url);
  const endless = await api.createFunction({ files: { 'main.py': 'import time\ntime.sleep(3600)\n' }, timeout: 1 });
  const good = await api.createFunction({ files: { 'main.py': 'def main():\n    return "fine"\n' } });

  const executionId = await api.executeLater(endless.id);
  assert.equal(resultOf(await api.execute(good.id)).output, 'fine');

  const execution = await api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
  assert.equal(execution['status'], 'failed', JSON.stringify(execution));
  assert.match(String(resultOf(execution).output), /timeout/);
  assert.equal(resultOf(await api.execute(good.id)).output, 'fine');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, resultOf } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

const SECONDS = 15;

/** On its own, because it takes longer than an idle connection may. */
test('a sync call that lasts keeps its connection', async (t) => {
  const { url } = await Server.start(t, makeFolder(t).path);
  const api = new Api(url);
  const files = { 'main.py': `import time\ndef main():\n    time.sleep(${SECONDS})\n    return 'at last'\n` };
  const { id } = await api.createFunction({ files, timeout: 600 });
  const execution = await api.execute(id);
  assert.equal(execution['status'], 'success', JSON.stringify(execution));
  const { output, duration = 0 } = resultOf(execution);
  assert.equal(output, 'at last');
  assert.ok(duration >= SECONDS, String(duration));
});

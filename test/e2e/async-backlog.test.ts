import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';

/** More than the gateway looks after at a time, and so much that it is not run in a minute. */
const MANY = 11_000;
const SENDERS = 64;

const SLOW = `
import time

def main():
    time.sleep(2)
`;

const QUICK = `
def main():
    return 'quick'
`;

/** Has that many executions of a function accepted, over several connections. */
async function executeMany(api: Api, functionId: string, count: number): Promise<void> {
  let left = count;
  const send = async () => {
    while (left-- > 0) await api.executeLater(functionId);
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
}

test('a function with many executions that wait does not hold up those of another', async (t) => {
  const { path: folder } = makeFolder(t);
  const server = await Server.start(t, folder);
  const api = new Api(server.url);
  const slow = await api.createFunction({ files: { 'main.py': SLOW } });
  await executeMany(api, slow.id, MANY);
  const quick = await api.createFunction({ files: { 'main.py': QUICK } });

  const executionId = await api.executeLater(quick.id);
  const ended = await api.get<Resource>(`/v1/executions/${executionId}?wait=60`);

  assert.equal(ended['status'], 'success');
  await server.stop();
});

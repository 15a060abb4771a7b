import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Api, resultOf } from '../support/api.ts';
import { childrenOf, commandLineOf } from '../support/processes.ts';
import { makeFolder, Server } from '../support/server.ts';

const WAITS = `
import os, time

def main(started=None):
    if started is not None:
        open(started, 'w').close()
        time.sleep(600)
    return 'fine'
`;

function agentOf(server: Server): number {
  const agents = childrenOf(server.run.pid).filter((pid) => commandLineOf(pid).includes('agent/main.js'));
  assert.equal(agents.length, 1);
  return agents[0]!;
}

test('an agent that dies is started again: what ran there is in error, the next call works', async (t) => {
  const { path: folder, shared } = makeFolder(t);
  const server = await Server.start(t, folder);
  const api = new Api(server.url);
  const { id } = await api.createFunction({ files: { 'main.py': WAITS }, timeout: 900 });
  const [one, two] = ['one', 'two'].map((name) => join(shared, name));
  const sync = api.execute(id, { started: one });
  const later = await api.executeLater(id, { started: two });
  while (!existsSync(one!) || !existsSync(two!)) await sleep(20);
  const agent = agentOf(server);
  process.kill(agent, 'SIGKILL');

  const ended = await api.until(`/v1/executions/${later}`, ({ status }) => status !== 'running');
  for (const execution of [await sync, ended]) {
    assert.equal(execution['status'], 'error', JSON.stringify(execution));
    assert.equal(execution['result'], '{"output": "Function execution failed."}');
  }
  assert.equal(resultOf(await api.execute(id)).output, 'fine');
  assert.notEqual(agentOf(server), agent);
  await server.stop();
});

test('a gateway that is killed takes its agent and the processes of functions with it', async (t) => {
  const { path: folder, shared } = makeFolder(t);
  const server = await Server.start(t, folder);
  const api = new Api(server.url);
  const { id } = await api.createFunction({ files: { 'main.py': WAITS }, timeout: 900 });
  const started = join(shared, 'started');
  await api.executeLater(id, { started });
  while (!existsSync(started)) await sleep(20);
  const family = [agentOf(server)];
  for (const pid of family) family.push(...childrenOf(pid));
  assert.ok(family.length > 2, 'agent, hosts and their children');

  await server.kill();

  while (family.some((pid) => commandLineOf(pid) !== '')) await sleep(20);
});

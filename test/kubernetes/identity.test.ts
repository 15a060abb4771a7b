import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { encodeMessage } from '../../protocol/codec.ts';
import { Kind, type Hello } from '../../protocol/message.ts';
import type { Resource } from '../support/api.ts';
import { describeInstallation, type Installation } from '../support/installation.ts';

let runtime: Resource;
let podName = '';
let address = '';

/** A token of an account as the kubelet would ask for it; of a pod, where one is named. */
function tokenOf(cluster: Installation, account: string, audience: string, pod?: string): Promise<string> {
  const bound = pod === undefined ? [] : ['--bound-object-kind=Pod', `--bound-object-name=${pod}`];
  return cluster.kubectl('create', 'token', account, `--audience=${audience}`, ...bound);
}

/** What becomes of an agent that comes with that token and says that Hello: a status, or how its connection ended. */
async function endOf(token: string, hello: Partial<Hello>): Promise<number | string> {
  const socket = new WebSocket(`ws://${address}/agent`, { headers: { authorization: `Bearer ${token}` } });
  const refused = once(socket, 'unexpected-response').then(
    ([, response]) => (response as { statusCode: number }).statusCode,
  );
  const opened = once(socket, 'open').then(() => undefined);
  refused.catch(() => undefined);
  const status = await Promise.race([refused, opened]);
  if (status !== undefined) return status;
  const end = Promise.race([
    once(socket, 'message').then(() => 'welcome'),
    once(socket, 'close').then(([code]) => `closed ${code as number}`),
  ]);
  const whole: Hello = {
    kind: Kind.Hello,
    protocolVersion: 1,
    agentName: podName,
    instanceId: 'an impostor',
    pools: [runtime.id],
    workerCount: 1,
    bound: [],
    held: [],
    ...hello,
  };
  socket.send(encodeMessage(whole));
  const found = await end;
  socket.terminate();
  return found;
}

describeInstallation(
  'an agent in Kubernetes',
  { overlays: ['minimal'] },
  async (cluster) => {
    runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
    const [pod] = await cluster.untilWorkers(runtime.id, (pods) => pods.length > 0);
    podName = pod!.metadata.name;
    const service = await cluster.kubectl('get', 'service', 'qinling-internal', '-o', 'jsonpath={.spec.clusterIP}');
    address = `${service}:7071`;
  },
  (cluster, claim) => {
    claim('is turned away with a token of another audience, of another account, or of no pod', async () => {
      assert.equal(await endOf(await tokenOf(cluster, 'qinling-worker', 'another', podName), {}), 401);
      assert.equal(await endOf(await tokenOf(cluster, 'default', 'qinling'), {}), 401);
      assert.equal(await endOf(await tokenOf(cluster, 'qinling-worker', 'qinling'), {}), 401);
      assert.equal(await endOf('nonsense', {}), 401);
    });

    claim('may offer the runtime of its own pod alone, under its own name', async () => {
      const token = await tokenOf(cluster, 'qinling-worker', 'qinling', podName);
      assert.equal(await endOf(token, { pools: [runtime.id, 'python3'] }), 'closed 1002');
      assert.equal(await endOf(token, { agentName: 'another' }), 'closed 1002');
      assert.equal(await endOf(token, {}), 'welcome');
    });

    claim('gets no package that was not given to it', async () => {
      const token = await tokenOf(cluster, 'qinling-worker', 'qinling', podName);
      const ask = async (bearer: string) => {
        const headers = { authorization: `Bearer ${bearer}` };
        return (await fetch(`http://${address}/packages/${'0'.repeat(64)}`, { headers })).status;
      };
      assert.equal(await ask(token), 403);
      assert.equal(await ask('nonsense'), 403);
    });
  },
);

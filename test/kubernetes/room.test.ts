import assert from 'node:assert/strict';
import { isTaken } from '../../gateway/orchestrator/kubernetes/pod.ts';
import { resultOf, type Resource } from '../support/api.ts';
import { describeInstallation, type Installation, type SeenPod } from '../support/installation.ts';

const HELLO = { 'main.py': 'def main(name):\n    return name\n' };
/** Pods that the quota lets be: the gateway, and these workers. */
const WORKERS = 3;

const functionOf = (pod: SeenPod) => pod.metadata.labels!['qinling.openstack.org/function'];
const isReady = (pod: SeenPod) =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** Functions that are called one after the other in a cluster that has room for fewer of them. */
async function callInTurn(cluster: Installation, runtime: Resource, cpu: number): Promise<void> {
  const create = async () => (await cluster.api.createFunction({ runtime: 'python', files: HELLO, cpu })).id;
  const call = async (id: string) =>
    assert.equal(resultOf(await cluster.api.execute(id, { name: 'here' })).output, 'here');
  const first = await create();
  const second = await create();
  const third = await create();
  const fourth = await create();
  await call(first);
  await cluster.untilWorkers(runtime.id, (pods) => pods.some((pod) => !isTaken(pod) && isReady(pod)));
  await call(second);
  await cluster.untilWorkers(runtime.id, (pods) => pods.filter(isTaken).length === 2);
  await call(first); // now the second one is idle longer
  await call(third); // there is room for it, or the second one makes it
  await call(fourth);
  const served = new Set((await cluster.workers(runtime.id)).map(functionOf));
  assert.ok(served.has(fourth));
  assert.ok(!served.has(second), 'the worker that was idle longest has gone');
  await call(second);
}

describeInstallation(
  'a cluster that is full',
  {
    overlays: ['minimal'],
    environment: { QINLING_KUBERNETES_REPLICAS: '1', QINLING_KUBERNETES_WORKER_CPU: '600' },
  },
  async () => undefined,
  (cluster, claim) => {
    claim('has room for new functions where idle ones have workers, on its nodes', async () => {
      // Two of these workers and the gateway fill a node of two processors.
      const runtime = await cluster.createRuntime('python');
      assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
      await callInTurn(cluster, runtime, 600);
    });
  },
);

describeInstallation(
  'a namespace with a quota',
  { overlays: ['minimal'], environment: { QINLING_KUBERNETES_REPLICAS: '1' } },
  async (cluster) => {
    await cluster.kubectl('create', 'quota', 'pods', `--hard=pods=${1 + WORKERS}`);
  },
  (cluster, claim) => {
    claim('has room for new functions where idle ones have workers', async () => {
      const runtime = await cluster.createRuntime('python');
      assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
      await callInTurn(cluster, runtime, 100);
    });
  },
);

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTaken } from '../../gateway/orchestrator/kubernetes/pod.ts';
import { resultOf, type Resource } from '../support/api.ts';
import { describeInstallation, type SeenPod } from '../support/installation.ts';
import { whileStopped } from '../support/test-cluster.ts';

const REPLICAS = 3;
const OUTAGE_MS = 30_000;
const HELLO = { 'main.py': 'def main(name):\n    return name\n' };

let runtime: Resource;

describeInstallation(
  'workers in Kubernetes',
  { overlays: ['minimal'], environment: { QINLING_KUBERNETES_REPLICAS: String(REPLICAS) } },
  async (cluster) => {
    runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
  },
  (cluster, claim) => {
    const create = async () => (await cluster.api.createFunction({ runtime: 'python', files: HELLO })).id;
    const call = async (id: string) =>
      assert.equal(resultOf(await cluster.api.execute(id, { name: 'here' })).output, 'here');
    /** Right after an outage workers that were taken in it look free still. */
    const untilFull = (leastTaken = 0) =>
      cluster.untilWorkers(runtime.id, (pods) => {
        const free = pods.filter((pod: SeenPod) => !isTaken(pod));
        return free.length === REPLICAS && free.every(isReady) && pods.length - free.length >= leastTaken;
      });

    claim('serve warm and cold calls while the API server is away, and the pool is refilled afterwards', async () => {
      const warm = await create();
      await call(warm);
      const [cold, colder] = [await create(), await create()];
      await untilFull();
      await whileStopped('kube-apiserver', async () => {
        await call(cold);
        const end = performance.now() + OUTAGE_MS;
        while (performance.now() < end) {
          await call(warm);
          await sleep(100);
        }
        await call(colder);
        await call(warm);
      });
      await untilFull(3);
      await call(warm);
    });

    claim('serve calls while the kubelet stands still', async () => {
      const warm = await create();
      await untilFull();
      await whileStopped('kubelet', async () => {
        await call(warm);
        await call(await create());
        await call(warm);
      });
      await untilFull();
    });
  },
);

function isReady(pod: SeenPod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

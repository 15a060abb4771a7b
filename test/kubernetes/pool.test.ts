import assert from 'node:assert/strict';
import { isTaken, runtimeImageOf } from '../../gateway/orchestrator/kubernetes/pod.ts';
import { resultOf, type Resource } from '../support/api.ts';
import { describeInstallation, type SeenPod } from '../support/installation.ts';

const REPLICAS = 2;
const HELLO = { 'main.py': 'def main(name="world"):\n    print("greeting")\n    return "Hello, " + name\n' };
const SLEEPER = { 'main.py': 'import time\n\ndef main(seconds):\n    time.sleep(seconds)\n    return seconds\n' };

const isFree = (pod: SeenPod) => !isTaken(pod);

let runtime: Resource;

describeInstallation(
  'a runtime in Kubernetes',
  {
    overlays: ['minimal'],
    environment: { QINLING_KUBERNETES_REPLICAS: String(REPLICAS), QINLING_ENGINE_RUNTIME_TIMEOUT: '60' },
  },
  async (cluster) => {
    runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
  },
  (cluster, claim) => {
    const create = (files: Readonly<Record<string, string>>, more: object = {}) =>
      cluster.api.createFunction({ runtime: 'python', files, timeout: 60, ...more });

    claim('runs a function in a pod of its pool, which leaves it and is replaced', async () => {
      const before_ = await cluster.untilWorkers(runtime.id, (pods) => pods.filter(isFree).length === REPLICAS);
      const { id } = await create(HELLO);
      const execution = await cluster.api.execute(id, { name: 'pod' });
      assert.equal(resultOf(execution).output, 'Hello, pod');
      assert.match(await cluster.api.log(execution.id), /\ngreeting\n/);
      const pods = await cluster.untilWorkers(
        runtime.id,
        (seen) =>
          seen.filter(isFree).length === REPLICAS &&
          seen.some((pod) => pod.metadata.labels!['qinling.openstack.org/function'] === id),
      );
      const taken = pods.find((pod) => pod.metadata.labels!['qinling.openstack.org/function'] === id)!;
      assert.ok(
        before_.some(({ metadata }) => metadata.uid === taken.metadata.uid),
        'a pod that was ready before was taken',
      );
      assert.equal((taken.metadata as { ownerReferences?: unknown[] }).ownerReferences, undefined);
    });

    claim('gives a worker the limits of its function', async () => {
      const { id } = await create(HELLO, { memorySize: 96 * 1024 * 1024, cpu: 700 });
      await cluster.api.execute(id);
      const limitsOf = (pod: SeenPod) =>
        pod.spec.initContainers!.find(({ name }) => name === 'runtime')!.resources.limits!;
      const pods = await cluster.untilWorkers(runtime.id, (seen) =>
        seen.some((pod) => limitsOf(pod)['cpu'] === '700m'),
      );
      const bound = pods.find((pod) => limitsOf(pod)['cpu'] === '700m')!;
      assert.equal(limitsOf(bound)['memory'], String((96 + 48) * 1024 * 1024));
    });

    claim('replaces a worker that has had its function, and gives it no other one', async () => {
      const { id } = await create(HELLO);
      await cluster.api.execute(id);
      const isOfFunction = (pod: SeenPod) => pod.metadata.labels!['qinling.openstack.org/function'] === id;
      const pods = await cluster.untilWorkers(runtime.id, (seen) => seen.some(isOfFunction));
      const used = pods.find(isOfFunction)!;
      const answer = await cluster.api.request('DELETE', `/v1/functions/${id}`);
      assert.equal(answer.status, 204, answer.text);
      await cluster.untilPodIsGone(used.metadata.name);
    });

    claim('ends the execution of a pod that is killed as an error, and goes on with another pod', async () => {
      const { id } = await create(SLEEPER);
      assert.equal(resultOf(await cluster.api.execute(id, { seconds: 0 })).output, 0);
      const isOfFunction = (pod: SeenPod) => pod.metadata.labels!['qinling.openstack.org/function'] === id;
      const [pod] = (await cluster.untilWorkers(runtime.id, (seen) => seen.some(isOfFunction))).filter(isOfFunction);
      const executionId = await cluster.api.executeLater(id, { seconds: 50 });
      await cluster.api.until(`/v1/executions/${executionId}`, ({ status }) => status === 'running');
      await cluster.kubectl('delete', 'pod', pod!.metadata.name, '--grace-period=0', '--force');
      const ended = await cluster.api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
      assert.equal(ended['status'], 'error', JSON.stringify(ended));
      assert.equal(resultOf(await cluster.api.execute(id, { seconds: 0 })).output, 0);
    });

    claim('lets a pod that is told to end finish what it runs', async () => {
      const { id } = await create(SLEEPER);
      assert.equal(resultOf(await cluster.api.execute(id, { seconds: 0 })).output, 0);
      const isOfFunction = (pod: SeenPod) => pod.metadata.labels!['qinling.openstack.org/function'] === id;
      const [pod] = (await cluster.untilWorkers(runtime.id, (seen) => seen.some(isOfFunction))).filter(isOfFunction);
      const running = cluster.api.execute(id, { seconds: 6 });
      await cluster.untilWorkers(runtime.id, (seen) => seen.some(isOfFunction));
      const others = Promise.all([0, 0, 0].map((seconds) => cluster.api.execute(id, { seconds })));
      await cluster.kubectl('delete', 'pod', pod!.metadata.name, '--wait=false');
      assert.equal(resultOf(await running).output, 6);
      for (const other of await others) assert.equal(resultOf(other).output, 0);
      assert.equal(resultOf(await cluster.api.execute(id, { seconds: 0 })).output, 0);
      await cluster.untilPodIsGone(pod!.metadata.name);
    });

    claim('starts the language that the image has, whatever its name', async () => {
      const node = await cluster.createRuntime('node', 'localhost/team/node-runtime:1', false);
      assert.equal(node['status'], 'available', JSON.stringify(node));
      const files = { 'main.js': 'exports.main = (context, input) => process.version + input.word;\n' };
      const { id } = await cluster.api.createFunction({ runtime: 'node', files });
      assert.match(String(resultOf(await cluster.api.execute(id, { word: '!' })).output), /^v\d+\..*!$/);
      const [pod] = await cluster.workers(node.id);
      assert.equal(pod!.metadata.annotations!['io.kubernetes.cri-o.TrustedSandbox'], 'false');
    });

    claim('is in error, with the reason, where its image has no language', async () => {
      const broken = await cluster.createRuntime('broken', 'localhost/busybox:1');
      assert.equal(broken['status'], 'error');
      assert.match(String(broken['status_reason']), /busybox:1 ends with exit code 1: .*no interpreter/);
    });

    claim('is in error, with the reason, where its image cannot be had', async () => {
      const missing = await cluster.createRuntime('missing', 'localhost:1/nowhere:1');
      assert.equal(missing['status'], 'error');
      assert.match(String(missing['status_reason']), /nowhere:1 cannot be pulled/);
    });

    claim('gets a new image by a rolling update, and its old one back where the new one does not start', async () => {
      const changing = await cluster.createRuntime('changing');
      const path = `/v1/runtimes/${changing.id}`;
      const isSettled = ({ status }: Resource) => status !== 'upgrading';
      const imagesOf = (pods: readonly SeenPod[]) => pods.map(runtimeImageOf);

      assert.equal((await cluster.api.request('PUT', path, { image: 'localhost/languages:1' })).status, 200);
      const changed = await cluster.api.until(path, isSettled);
      assert.deepEqual([changed['status'], changed['image']], ['available', 'localhost/languages:1']);
      const pods = await cluster.untilWorkers(changing.id, (seen) => seen.length === REPLICAS);
      assert.deepEqual(imagesOf(pods), Array(REPLICAS).fill('localhost/languages:1'));

      assert.equal((await cluster.api.request('PUT', path, { image: 'localhost/busybox:1' })).status, 200);
      const rolledBack = await cluster.api.until(path, isSettled);
      assert.deepEqual([rolledBack['status'], rolledBack['image']], ['available', 'localhost/languages:1']);
      assert.match(String(rolledBack['status_reason']), /no interpreter/);
    });

    claim('shows how many workers it has, and how many of them are free', async () => {
      const counted = await cluster.createRuntime('counted');
      const { id } = await cluster.api.createFunction({ runtime: 'counted', files: HELLO });
      await cluster.api.execute(id);
      const isRefilled = (pool: Resource) =>
        JSON.stringify(pool['capacity']) === JSON.stringify({ total: REPLICAS + 1, available: REPLICAS });
      await cluster.api.until(`/v1/runtimes/${counted.id}/pool`, isRefilled);
    });

    claim('takes all its pods with it when it is deleted', async () => {
      const doomed = await cluster.createRuntime('doomed');
      const { id } = await cluster.api.createFunction({ runtime: 'doomed', files: HELLO });
      await cluster.api.execute(id);
      assert.equal((await cluster.api.request('DELETE', `/v1/functions/${id}`)).status, 204);
      assert.equal((await cluster.api.request('DELETE', `/v1/runtimes/${doomed.id}`)).status, 204);
      await cluster.untilWorkers(doomed.id, (pods) => pods.length === 0);
    });
  },
);

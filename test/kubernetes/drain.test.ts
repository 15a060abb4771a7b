import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTaken } from '../../gateway/orchestrator/kubernetes/pod.ts';
import { resultOf, type Resource } from '../support/api.ts';
import { COUNTED, executePatiently, forEachNumber, RunCounter } from '../support/calls.ts';
import { describeInstallation, type SeenPod } from '../support/installation.ts';

const CALLS = 100;
const LATER_CALLS = 16;
const GATEWAY = 'app.kubernetes.io/component=gateway';
const AGENTS = 'app.kubernetes.io/component=node-agent';
const WORKERS = 'app.kubernetes.io/component=worker';

let runtime: Resource;
let node = '';

describeInstallation(
  'a node that is drained',
  {
    overlays: ['daemonset'],
    // Functions report to this machine, which the policy would not let them reach.
    environment: { QINLING_KUBERNETES_REPLICAS: '2', QINLING_KUBERNETES_NETWORK_POLICY: 'false' },
  },
  async (cluster) => {
    runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
    await cluster.kubectl('rollout', 'status', 'daemonset/qinling-agent', '--timeout=100s');
    const nodes = (await cluster.kubectl('get', 'nodes', '-o', 'name')).split('\n');
    assert.equal(nodes.length, 1, 'this test drains the only node that there is');
    node = nodes[0]!.replace('node/', '');
  },
  (cluster, claim) => {
    const podsOf = async (selector: string) =>
      (JSON.parse(await cluster.kubectl('get', 'pods', '-l', selector, '-o', 'json')) as { items: SeenPod[] }).items;
    const uncordon = () => cluster.kubectl('uncordon', node);
    const thenUncordon = async (work: () => Promise<void>) => {
      try {
        await work();
      } finally {
        await uncordon();
      }
    };
    const drain = (selector: string, timeout: string) =>
      cluster.tryKubectl(
        ...['drain', node, '--force', '--delete-emptydir-data', `--pod-selector=${selector}`, `--timeout=${timeout}`],
      );
    /**
     * Calls of all kinds that go on while something happens to the node: each must succeed, if told to come again first,
     * and run once.
     */
    const whileCalled = async (runtimeName: string, happens: (functionId: string) => Promise<void>): Promise<void> => {
      const counter = new RunCounter();
      try {
        const url = await counter.open();
        const { id } = await cluster.api.createFunction({ runtime: runtimeName, files: COUNTED, timeout: 60 });
        await executePatiently(cluster.url, id, { url, number: CALLS + LATER_CALLS, seconds: 0 });
        const later: string[] = [];
        for (let number = CALLS; number < CALLS + LATER_CALLS; number++) {
          later.push(await cluster.api.executeLater(id, { url, number, seconds: 1 }));
        }
        const calls = forEachNumber(CALLS, 8, async (number) => {
          const execution = await executePatiently(cluster.url, id, { url, number, seconds: 0.1 });
          assert.equal(resultOf(execution as never).output, number, JSON.stringify(execution));
        });
        await Promise.all([calls, thenUncordon(() => happens(id))]);
        await cluster.untilAnswered();
        for (const executionId of later) {
          const ended = await cluster.api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
          assert.equal(ended['status'], 'success', JSON.stringify(ended));
        }
        for (let number = 0; number < CALLS + LATER_CALLS; number++) {
          assert.equal(counter.count(number), 1, `run ${number}`);
        }
      } finally {
        counter.close();
      }
    };

    claim('ends workers, free and taken, without a lost execution, and has new ones when it is back', async () => {
      let before_: SeenPod[] = [];
      await whileCalled('python', async (functionId) => {
        const isOfFunction = ({ metadata }: SeenPod) =>
          metadata.labels!['qinling.openstack.org/function'] === functionId;
        before_ = await cluster.untilWorkers(runtime.id, (pods) => pods.some(isOfFunction));
        const drained = await drain(WORKERS, '100s');
        assert.equal(drained.code, 0, drained.stderr);
        for (const { metadata } of before_) assert.match(drained.stdout, new RegExp(`pod/${metadata.name} evicted`));
      });
      const isNew = ({ metadata: { uid } }: SeenPod) => before_.every(({ metadata }) => metadata.uid !== uid);
      const pods = await cluster.untilWorkers(runtime.id, (seen) => seen.filter((pod) => !isTaken(pod)).length === 2);
      assert.ok(pods.every(isNew), 'no worker outlived the drain');
    });

    claim('keeps its gateway, as the disruption budget wants it', async () => {
      const [pod] = await podsOf(GATEWAY);
      const drained = await drain(GATEWAY, '5s');
      await uncordon();
      assert.notEqual(drained.code, 0);
      assert.match(drained.stderr, /would violate the pod's disruption budget/);
      const [still] = await podsOf(GATEWAY);
      assert.equal(still?.metadata.uid, pod!.metadata.uid);
      assert.equal(still?.metadata.deletionTimestamp, undefined);
      await cluster.untilAnswered();
    });

    claim('loses no execution where its gateway is ended all the same', async () => {
      await whileCalled('python', async () => {
        const [pod] = await podsOf(GATEWAY);
        await cluster.kubectl('cordon', node);
        await cluster.kubectl('delete', 'pod', pod!.metadata.name);
        await uncordon();
        await cluster.kubectl('rollout', 'status', 'deployment/qinling', '--timeout=100s');
      });
    });

    claim('loses no execution of its own agent, which is evicted', async () => {
      while ((await cluster.api.findRuntime('python3')) === undefined) await sleep(200);
      await whileCalled('python3', async () => {
        const [pod] = await podsOf(AGENTS);
        const { name, namespace } = pod!.metadata;
        const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
        const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
        await cluster.client.create(path, eviction);
        await cluster.untilPodIsGone(name);
        await cluster.kubectl('rollout', 'status', 'daemonset/qinling-agent', '--timeout=100s');
      });
    });
  },
);

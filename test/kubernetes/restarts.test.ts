import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { resultOf, type Resource } from '../support/api.ts';
import { COUNTED, executePatiently, forEachNumber, RunCounter } from '../support/calls.ts';
import { describeInstallation } from '../support/installation.ts';

const CALLS = 200;
const LATER_CALLS = 24;

/** What a pool without any agent is answered with. */
const NO_POOL: Resource = { id: '', capacity: { total: 0, available: 0 } };

let runtime: Resource;

describeInstallation(
  'an installation in Kubernetes',
  {
    overlays: ['base'],
    // Functions report to this machine, which the policy would not let them reach.
    environment: { QINLING_KUBERNETES_REPLICAS: '2', QINLING_KUBERNETES_NETWORK_POLICY: 'false' },
  },
  async (cluster) => {
    runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
  },
  (cluster, claim) => {
    const restart = async (name: string) => {
      await cluster.kubectl('rollout', 'restart', name);
      await cluster.kubectl('rollout', 'status', name, '--timeout=100s');
    };
    const withCounter = async (run: (counter: RunCounter, url: string) => Promise<void>) => {
      const counter = new RunCounter();
      try {
        await run(counter, await counter.open());
      } finally {
        counter.close();
      }
    };

    claim('loses no asynchronous execution by a new gateway, and runs none twice', () =>
      withCounter(async (counter, url) => {
        const { id } = await cluster.api.createFunction({ runtime: 'python', files: COUNTED, timeout: 60 });
        // The first ones run far longer than the gateway is given to end: their workers bring them to the next one.
        const secondsOf = (number: number) => (number < 2 ? 45 : 1);
        const ids: string[] = [];
        for (let number = 0; number < LATER_CALLS; number++) {
          ids.push(await cluster.api.executeLater(id, { url, number, seconds: secondsOf(number) }));
        }
        while (counter.count(0) === 0 || counter.count(1) === 0) await sleep(50);
        await restart('deployment/qinling');
        await cluster.untilAnswered();
        for (const [number, executionId] of ids.entries()) {
          const ended = await cluster.api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
          assert.equal(ended['status'], 'success', JSON.stringify(ended));
          assert.equal(counter.count(number), 1, `run ${number}`);
        }
      }),
    );

    claim('takes over the workers that an earlier gateway bound', async () => {
      const files = { 'main.py': 'import uuid\n\nIDENTITY = str(uuid.uuid4())\n\ndef main():\n    return IDENTITY\n' };
      const { id } = await cluster.api.createFunction({ runtime: 'python', files });
      const identity = resultOf(await cluster.api.execute(id)).output;
      const takenIn = (pool: Resource) => {
        const { total, available } = pool['capacity'] as { total: number; available: number };
        return total - available;
      };
      const poolPath = `/v1/runtimes/${runtime.id}/pool`;
      const taken = takenIn(await cluster.api.get<Resource>(poolPath));
      await restart('deployment/qinling');
      await cluster.untilAnswered();
      // A call that comes before its agent does waits for any worker: wait until all are back.
      while (takenIn(await cluster.api.get<Resource>(poolPath).catch(() => NO_POOL)) < taken) await sleep(100);
      assert.equal(resultOf(await cluster.api.execute(id)).output, identity);
    });

    claim('fails no synchronous call by a new gateway that it did not tell to come again', () =>
      withCounter(async (counter, url) => {
        const { id } = await cluster.api.createFunction({ runtime: 'python', files: COUNTED, timeout: 60 });
        const calls = forEachNumber(CALLS, 8, async (number) => {
          const execution = await executePatiently(cluster.url, id, { url, number, seconds: 0.1 });
          assert.equal(resultOf(execution as never).output, number, JSON.stringify(execution));
        });
        await Promise.all([calls, restart('deployment/qinling')]);
        for (let number = 0; number < CALLS; number++) assert.equal(counter.count(number), 1, `run ${number}`);
      }),
    );

    claim('fails no call by a rolling update of a pool', () =>
      withCounter(async (counter, url) => {
        const { id } = await cluster.api.createFunction({ runtime: 'python', files: COUNTED, timeout: 60 });
        const calls = forEachNumber(CALLS, 8, async (number) => {
          const execution = await executePatiently(cluster.url, id, { url, number, seconds: 0.1 });
          assert.equal(resultOf(execution as never).output, number, JSON.stringify(execution));
        });
        await Promise.all([calls, restart(`deployment/runtime-${runtime.id}`)]);
        for (let number = 0; number < CALLS; number++) assert.equal(counter.count(number), 1, `run ${number}`);
      }),
    );

    claim('makes what lacks and removes what is too much when it starts', async () => {
      const kept = await cluster.createRuntime('kept');
      await cluster.kubectl('scale', 'deployment/qinling', '--replicas=0');
      await cluster.kubectl(
        'wait',
        '--for=delete',
        'pod',
        '-l',
        'app.kubernetes.io/component=gateway',
        '--timeout=60s',
      );
      await cluster.kubectl('delete', 'deployment', `runtime-${kept.id}`);
      const stranger = '00000000-0000-4000-8000-000000000000';
      const manifest = JSON.parse(
        await cluster.kubectl('get', 'deployment', `runtime-${runtime.id}`, '-o', 'json'),
      ) as object;
      const copy = JSON.parse(JSON.stringify(manifest).replaceAll(runtime.id, stranger)) as { metadata: object };
      copy.metadata = { ...copy.metadata, resourceVersion: undefined, uid: undefined };
      const { namespace, client } = cluster;
      await client.create(`/apis/apps/v1/namespaces/${namespace}/deployments`, copy);
      await cluster.kubectl('scale', 'deployment/qinling', '--replicas=1');
      await cluster.kubectl('rollout', 'status', 'deployment/qinling', '--timeout=100s');
      await cluster.untilWorkers(kept.id, (pods) => pods.length === 2);
      await cluster.untilWorkers(stranger, (pods) => pods.length === 0);
    });
  },
);

import assert from 'node:assert/strict';
import { resultOf } from '../support/api.ts';
import { COUNTED, executePatiently, forEachNumber, RunCounter } from '../support/calls.ts';
import { describeInstallation } from '../support/installation.ts';

const CALLS = 200;

describeInstallation(
  'the DaemonSet of agents',
  { overlays: ['daemonset'] },
  async (cluster) => {
    await cluster.kubectl('rollout', 'status', 'daemonset/qinling-agent', '--timeout=100s');
  },
  (cluster, claim) => {
    const untilOffered = async (name: string) => {
      while ((await cluster.api.findRuntime(name)) === undefined)
        await new Promise((resolve) => setTimeout(resolve, 200));
    };

    claim('offers the runtimes of its image by itself', async () => {
      await untilOffered('python3');
      await untilOffered('nodejs');
      const { id } = await cluster.api.createFunction({ files: { 'main.py': 'def main():\n    return "node"\n' } });
      assert.equal(resultOf(await cluster.api.execute(id)).output, 'node');
    });

    claim('keeps functions apart by users of their own', async () => {
      await untilOffered('python3');
      const files = {
        'main.py':
          'import os\n\ndef main():\n    return [os.getuid(), os.path.exists("/run/secrets/qinling/token") and os.access("/run/secrets/qinling/token", os.R_OK)]\n',
      };
      const uids = new Set<unknown>();
      for (let count = 0; count < 2; count++) {
        const { id } = await cluster.api.createFunction({ files });
        const [uid, seesToken] = resultOf(await cluster.api.execute(id)).output as [number, boolean];
        assert.ok(uid >= 70_000, `the user ${uid} may be one of an agent outside of the container`);
        assert.equal(seesToken, false);
        uids.add(uid);
      }
      assert.equal(uids.size, 2);
    });

    claim('is updated without a failed call', async () => {
      await untilOffered('python3');
      const counter = new RunCounter();
      try {
        const url = await counter.open();
        const { id } = await cluster.api.createFunction({ files: COUNTED, timeout: 60 });
        const calls = forEachNumber(CALLS, 8, async (number) => {
          const execution = await executePatiently(cluster.url, id, { url, number, seconds: 0.2 });
          assert.equal(resultOf(execution as never).output, number, JSON.stringify(execution));
        });
        await cluster.kubectl('rollout', 'restart', 'daemonset/qinling-agent');
        await Promise.all([calls, cluster.kubectl('rollout', 'status', 'daemonset/qinling-agent', '--timeout=100s')]);
        for (let number = 0; number < CALLS; number++) assert.equal(counter.count(number), 1, `run ${number}`);
      } finally {
        counter.close();
      }
    });
  },
);

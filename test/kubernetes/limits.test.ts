import assert from 'node:assert/strict';
import { resultOf } from '../support/api.ts';
import { describeInstallation } from '../support/installation.ts';

const MIB = 1024 * 1024;
const GREEDY = {
  'main.py': 'def main(mib):\n    kept = bytearray(b"x" * (mib * 1024 * 1024))\n    return len(kept)\n',
};
const BUSY = {
  'main.py': `
import time

def main(seconds):
    end = time.process_time() + seconds
    start = time.monotonic()
    while time.process_time() < end:
        pass
    return time.monotonic() - start
`,
};

describeInstallation(
  'the limits of a function in Kubernetes',
  { overlays: ['minimal'] },
  async (cluster) => {
    const runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
  },
  (cluster, claim) => {
    /** A function whose limits are in force: they come a moment after it was bound. */
    const createLimited = async (
      files: Readonly<Record<string, string>>,
      input: object,
      cpu: number,
      memorySize: number,
    ) => {
      const { id } = await cluster.api.createFunction({ runtime: 'python', files, timeout: 60, cpu, memorySize });
      await cluster.api.execute(id, input);
      for (;;) {
        const [pod] = JSON.parse(
          await cluster.kubectl('get', 'pods', '-l', `qinling.openstack.org/function=${id}`, '-o', 'jsonpath={.items}'),
        ) as { status: { initContainerStatuses: { name: string; resources?: { limits?: { cpu?: string } } }[] } }[];
        const status = pod?.status.initContainerStatuses.find(({ name }) => name === 'runtime');
        if (status?.resources?.limits?.cpu === `${cpu}m`) return id;
      }
    };

    claim('end an execution that takes more memory, and no other one', async () => {
      const id = await createLimited(GREEDY, { mib: 1 }, 900, 32 * MIB);
      const over = await cluster.api.execute(id, { mib: 80 });
      assert.equal(over['status'], 'failed', JSON.stringify(over));
      assert.match(String(resultOf(over).output), /too much resource consumption/);
      assert.equal(resultOf(await cluster.api.execute(id, { mib: 8 })).output, 8 * MIB);
    });

    claim('hold the processor back', async () => {
      const id = await createLimited(BUSY, { seconds: 0 }, 200, 32 * MIB);
      const seconds = resultOf(await cluster.api.execute(id, { seconds: 0.5 })).output as number;
      assert.ok(seconds > 1.5, `half a second of work at a fifth of a processor took ${seconds} s`);
    });
  },
);

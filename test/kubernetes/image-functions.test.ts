import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectList } from '../../gateway/orchestrator/kubernetes/client.ts';
import { IMAGE_SELECTOR } from '../../gateway/orchestrator/kubernetes/names.ts';
import { resultOf, type Resource } from '../support/api.ts';
import { describeInstallation, type Installation, type SeenPod } from '../support/installation.ts';

/** A shell, and no entry point: the arguments are the command. */
const IMAGE = 'localhost/busybox:1';
const shell = (script: string) => JSON.stringify({ __function_input: ['sh', '-c', script] });

describeInstallation(
  'image functions in Kubernetes',
  { overlays: ['base'], environment: { QINLING_KUBERNETES_REPLICAS: '1' } },
  async () => undefined,
  (cluster, claim) => {
    const create = async (more: object = {}): Promise<Resource> => {
      const body = { code: { image: IMAGE }, timeout: 60, cpu: 300, memory_size: 64 * 1024 * 1024, ...more };
      const answer = await cluster.api.request('POST', '/v1/functions', body);
      assert.equal(answer.status, 201, answer.text);
      return JSON.parse(answer.text) as Resource;
    };
    const run = async (id: string, input: string, isSync = true): Promise<Resource> => {
      const body = { function_id: id, input, sync: isSync };
      const answer = await cluster.api.request('POST', '/v1/executions', body);
      assert.equal(answer.status, 201, answer.text);
      return JSON.parse(answer.text) as Resource;
    };

    claim('run a pod for each execution: its log, its exit code, and nothing is left', async () => {
      const { id } = await create();
      const good = await run(id, shell('echo "from $(id -u)"; echo to stderr >&2'));
      assert.equal(good['status'], 'success', JSON.stringify(good));
      assert.deepEqual(Object.keys(resultOf(good)), ['duration']);
      const log = await cluster.api.log(good.id);
      assert.match(log, /from 65533\n/);
      assert.match(log, /to stderr\n/);
      const json = await run(id, shell('echo 42'));
      assert.match(await cluster.api.log(json.id), /^42$/m);
      const bad = await run(id, shell('echo no; exit 3'));
      assert.equal(bad['status'], 'failed', JSON.stringify(bad));
      assert.match(await cluster.api.log(bad.id), /^no$/m);
      await untilNone(cluster);
    });

    claim('hold no rights, and their limits', async () => {
      const { id } = await create();
      const asked = shell(
        'ls /var/run/secrets 2>&1; touch /file 2>&1; touch /tmp/file && echo /tmp is there; grep CapEff /proc/self/status',
      );
      const log = await cluster.api.log((await run(id, asked)).id);
      assert.match(log, /\/var\/run\/secrets: No such file/);
      assert.match(log, /\/file: Read-only file system/);
      assert.match(log, /\/tmp is there/);
      assert.match(log, /CapEff:\s+0+$/m);
      const over = await run(id, shell('x=$(head -c 300000000 /dev/zero | tr "\\\\0" x); echo $x | wc -c'));
      assert.equal(over['status'], 'failed', JSON.stringify(over));
    });

    claim('are ended when their time is over', async () => {
      const { id } = await create({ timeout: 2 });
      const ended = await run(id, shell('echo begun; sleep 600'));
      assert.equal(ended['status'], 'failed');
      assert.match(String(resultOf(ended).output), /Function execution timeout/);
      assert.ok(resultOf(ended).duration! >= 2);
      assert.match(await cluster.api.log(ended.id), /begun/);
      await untilNone(cluster);
    });

    claim('end in error where the image is not to be had', async () => {
      const { id } = await create({ code: { image: 'localhost/no-such-image:1' } });
      const ended = await run(id, 'x');
      assert.equal(ended['status'], 'error', JSON.stringify(ended));
      assert.match(await cluster.api.log(ended.id), /\nThe image could not be pulled\.\n$/);
      await untilNone(cluster);
    });

    claim('go on while the gateway is replaced, and bring their ends', async () => {
      const { id } = await create();
      const { id: executionId } = await run(id, shell('sleep 8; echo done'), false);
      for (;;) {
        const [pod] = await pods(cluster);
        if (pod?.status?.phase === 'Running') break;
        await sleep(100);
      }
      const gateway = 'app.kubernetes.io/component=gateway';
      await cluster.kubectl('delete', 'pod', '-l', gateway, '--grace-period=0', '--force');
      await cluster.kubectl('rollout', 'status', 'deployment/qinling', '--timeout=100s');
      await cluster.untilAnswered();
      const ended = await cluster.api.until(`/v1/executions/${executionId}`, ({ status }) => status !== 'running');
      assert.equal(ended['status'], 'success', JSON.stringify(ended));
      assert.match(await cluster.api.log(executionId), /^done$/m);
      await untilNone(cluster);
    });
  },
);

async function pods({ client, namespace }: Installation): Promise<readonly SeenPod[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  return (await client.get<ObjectList<SeenPod>>(path, { labelSelector: IMAGE_SELECTOR })).items;
}

async function untilNone(cluster: Installation): Promise<void> {
  while ((await pods(cluster)).length > 0) await sleep(200);
}

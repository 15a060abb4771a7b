import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { KubernetesClient, type KubernetesObject } from '../../gateway/orchestrator/kubernetes/client.ts';
import { KUBECTL, describeInstallation, type Installation } from '../support/installation.ts';
import { runProgram } from '../support/tools.ts';

const PROGRAM = fileURLToPath(new URL('./in-cluster-client.js', import.meta.url));
/** In a mount namespace of its own: what the kubelet mounts into every pod. */
const AS_A_POD = `
mount -t tmpfs tmpfs /run
cd /run && mkdir -p secrets/kubernetes.io/serviceaccount && cd secrets/kubernetes.io/serviceaccount
printf %s "$FIRST_TOKEN" > token
printf %s "$AUTHORITY" | base64 -d > ca.crt
printf %s "$NAMESPACE" > namespace
unset KUBECONFIG
exec "$0" "$1"
`;

interface ConfigMap extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

describeInstallation(
  'the API server',
  { overlays: ['minimal'] },
  async () => undefined,
  (cluster, claim) => {
    claim('is reached by kube_host through a proxy, as the Python Qinling was told', async () => {
      const proxy = spawn(KUBECTL, ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        const [line] = (await once(proxy.stdout.setEncoding('utf8'), 'data')) as [string];
        const [, port] = /127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        const host = `http://127.0.0.1:${port}/`;
        const client = new KubernetesClient({ host, caFile: '', certFile: '', keyFile: '' });
        await readWriteAndWatch(client, cluster);
      } finally {
        const closed = once(proxy, 'close');
        proxy.kill();
        await closed;
      }
    });

    claim('is reached by the address and certificate of a pod, with a token that is renewed on disk', async () => {
      const [server, authority, first, second] = await Promise.all([
        cluster.kubectl('config', 'view', '--raw', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'),
        cluster.kubectl(
          ...['config', 'view', '--raw', '--minify', '--flatten', '-o'],
          'jsonpath={.clusters[0].cluster.certificate-authority-data}',
        ),
        cluster.kubectl('create', 'token', 'qinling-gateway'),
        cluster.kubectl('create', 'token', 'qinling-worker'),
      ]);
      const { hostname, port } = new URL(server);
      const environment = {
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port === '' ? '443' : port,
        NAMESPACE: cluster.namespace,
        AUTHORITY: authority,
        FIRST_TOKEN: first,
        SECOND_TOKEN: second,
      };
      const shell = ['--mount', '--propagation', 'private', 'sh', '-ec', AS_A_POD, process.execPath, PROGRAM];
      const { code, stdout, stderr } = await runProgram('unshare', shell, environment);
      assert.equal(code, 0, stderr);
      const account = (name: string) => `system:serviceaccount:${cluster.namespace}:${name}`;
      const names = [account('qinling-gateway'), account('qinling-gateway'), account('qinling-worker')];
      assert.deepEqual(stdout.trim().split('\n'), names);
    });
  },
);

/** Every kind of request that the gateway makes. */
async function readWriteAndWatch(client: KubernetesClient, { namespace }: Installation): Promise<void> {
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const named = (data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'seen', namespace },
    data,
  });
  const seen: string[] = [];
  const isOver = new AbortController();
  const { metadata } = await client.get<KubernetesObject>(maps);
  const query = { resourceVersion: metadata.resourceVersion!, fieldSelector: 'metadata.name=seen' };
  const onEvent = (type: string, { data = {} }: ConfigMap) => {
    seen.push(`${type} ${Object.values(data).join(',')}`);
    if (type === 'DELETED') isOver.abort();
  };
  const watched = client.watch<ConfigMap>(maps, query, onEvent, isOver.signal);
  await client.apply(`${maps}/seen`, named({ key: 'applied' }), 'a-test');
  await client.merge(`${maps}/seen`, { data: { key: 'merged' } });
  await client.delete(`${maps}/seen`);
  await watched;
  assert.deepEqual(seen, ['ADDED applied', 'MODIFIED merged', 'DELETED merged']);
}

describeInstallation(
  'a cluster that has no node for what workers ask for',
  {
    overlays: ['minimal'],
    environment: { QINLING_ENGINE_RUNTIME_TIMEOUT: '5', QINLING_KUBERNETES_WORKER_MEMORY: String(2 ** 40) },
  },
  async () => undefined,
  (cluster, claim) => {
    claim('makes a runtime an error within the time limit, and says why', async () => {
      const runtime = await cluster.createRuntime('python');
      assert.equal(runtime['status'], 'error', JSON.stringify(runtime));
      assert.match(String(runtime['status_reason']), /No node takes its pods: .*Insufficient memory/);
    });
  },
);

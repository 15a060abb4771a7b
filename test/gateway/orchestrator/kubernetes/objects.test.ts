import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { imagePod } from '../../../../gateway/orchestrator/kubernetes/image-pod.ts';
import {
  poolDeployment,
  resizePatch,
  takenPatch,
  type PoolOptions,
} from '../../../../gateway/orchestrator/kubernetes/pool-deployment.ts';
import { workerPolicy } from '../../../../gateway/orchestrator/kubernetes/worker-policy.ts';
import { imageRun } from '../../../support/image-run.ts';

/** What operators and clusters see: a change of it is a change for them. */
const golden = JSON.parse(
  readFileSync(
    new URL('../../../../../test/gateway/orchestrator/kubernetes/objects.golden.json', import.meta.url),
    'utf8',
  ),
) as Record<string, unknown>;

const MIB = 1024 * 1024;
const options: PoolOptions = {
  namespace: 'qinling',
  replicas: 3,
  gatewayUrl: 'http://qinling-internal.qinling.svc:7071',
  agentImage: 'registry.example/qinling:1',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  serviceAccount: 'qinling-worker',
  tokenAudience: 'qinling',
  untrustedRuntimeClass: 'gvisor',
  cpuRequestMillicores: 50,
  memoryRequestBytes: 64 * MIB,
  cpuLimitMillicores: 4_000,
  memoryLimitBytes: 4_160 * MIB,
  scratchBytes: 1_024 * MIB,
  packageBytes: 1_024 * MIB,
  prewarmed: 2,
  drainSeconds: 30,
  logLevel: 'info',
};
const pool = { runtimeId: '0b1d3c8e-0000-4000-8000-000000000001', image: 'team/python:3', isTrusted: true };

interface PodSpec {
  readonly runtimeClassName?: string;
  readonly imagePullSecrets?: object;
}

function podSpecOf(deployment: object): PodSpec {
  return (deployment as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

test('the Deployment of a pool is as it was agreed', () => {
  assert.deepEqual(poolDeployment(pool, options, ['python3', 'python2']), golden['deployment']);
});

test('the pod of an image function is as it was agreed', () => {
  const run = imageRun();
  assert.deepEqual(imagePod(run, options), golden['imagePod']);
  const ofImage = imagePod({ ...run, args: undefined }, { ...options, untrustedRuntimeClass: '' });
  assert.doesNotMatch(JSON.stringify(ofImage), /"args"|runtimeClassName/);
});

test('the NetworkPolicy of workers is as it was agreed', () => {
  const { namespace, gatewayUrl } = options;
  assert.deepEqual(workerPolicy({ namespace, gatewayUrl, blockedNetworks: ['10.0.0.0/8'] }), golden['policy']);
});

test('a gateway outside of the cluster is let through by its address', () => {
  const policy = workerPolicy({ namespace: 'a', gatewayUrl: 'http://192.0.2.7:7071', blockedNetworks: [] });
  assert.match(
    JSON.stringify(policy),
    /"ipBlock":\{"cidr":"192.0.2.7\/32"\}\}\],"ports":\[\{"protocol":"TCP","port":7071\}/,
  );
});

test('code that is not trusted runs in the RuntimeClass for it, where there is one', () => {
  const untrusted = { ...pool, isTrusted: false };
  assert.equal(podSpecOf(poolDeployment(pool, options, [])).runtimeClassName, undefined);
  assert.equal(podSpecOf(poolDeployment(untrusted, options, [])).runtimeClassName, 'gvisor');
  const without = { ...options, untrustedRuntimeClass: '' };
  assert.equal(podSpecOf(poolDeployment(untrusted, without, [])).runtimeClassName, undefined);
  assert.match(JSON.stringify(poolDeployment(untrusted, options, [])), /TrustedSandbox":"false"/);
});

test('secrets for images are given where they are configured', () => {
  const withSecrets = { ...options, imagePullSecrets: ['a', 'b'] };
  assert.deepEqual(podSpecOf(poolDeployment(pool, withSecrets, [])).imagePullSecrets, [{ name: 'a' }, { name: 'b' }]);
});

test('a worker that is taken leaves what the Deployment selects', () => {
  assert.deepEqual(takenPatch('f'), {
    metadata: { labels: { 'qinling.openstack.org/state': 'taken', 'qinling.openstack.org/function': 'f' } },
  });
});

test('a worker gets the limits of its function, with the host on top, and asks for no more than that', () => {
  const small = resizePatch({ cpuMillicores: 20, memoryBytes: 8 * MIB }, 16 * MIB, options);
  assert.deepEqual(small, {
    spec: {
      initContainers: [
        {
          name: 'runtime',
          resources: {
            requests: { cpu: '20m', memory: String(24 * MIB) },
            limits: { cpu: '20m', memory: String(24 * MIB) },
          },
        },
      ],
    },
  });
});

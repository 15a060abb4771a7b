import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { ImageTrouble } from '../../../../gateway/orchestrator/image-runner.ts';
import { ImagePods } from '../../../../gateway/orchestrator/kubernetes/image-pods.ts';
import { FakeKubernetes, type Answer } from '../../../support/fake-kubernetes.ts';
import { imageRun } from '../../../support/image-run.ts';

const HOUR_MS = 3_600_000;
const NAME = 'image-01900000-0000-7000-8000-000000000001-2';
const RUN = imageRun({ timeoutMs: HOUR_MS });
const OPTIONS = {
  namespace: 'qinling',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  untrustedRuntimeClass: '',
  scratchBytes: 1024,
} as const;

const withState = (state: object, more: object = {}) => ({
  metadata: { name: NAME },
  status: { ...more, containerStatuses: [{ name: 'function', image: RUN.image, restartCount: 0, state }] },
});

/** Image functions in a cluster whose pod is as given; `created` answers its making. */
async function open(t: TestContext, pod: object, created: Answer = [201, pod]) {
  const deletes = new EventEmitter();
  const warnings: string[] = [];
  const server = await FakeKubernetes.open(t, ({ method, path }) => {
    if (method === 'POST') return created;
    if (method === 'DELETE') {
      deletes.emit('delete', path);
      return [200, {}];
    }
    if (path.endsWith('/log')) {
      return (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('{"a":  1.0}');
    }
    return path.endsWith('/pods') ? [200, { metadata: { resourceVersion: '1' }, items: [pod] }] : [200, pod];
  });
  const images = new ImagePods(server.client, OPTIONS, (text) => warnings.push(text));
  return { images, warnings, deleted: once(deletes, 'delete') };
}

test('a pod that has ended gives its exit code, its time and its log as it was printed, and is removed', async (t) => {
  const terminated = { exitCode: 3, startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:07Z' };
  const { images, deleted } = await open(t, withState({ terminated }));
  const end = await images.run(RUN);
  assert.deepEqual(
    { ...end, log: Buffer.from(end.log).toString() },
    {
      exitCode: 3,
      durationMs: 7_000,
      log: '{"a":  1.0}',
      isLogCut: false,
    },
  );
  assert.match(String((await deleted)[0]), new RegExp(`/${NAME}$`));
});

test('a pod that its node did not take is no run whose time was over', async (t) => {
  const status = { phase: 'Failed', reason: 'OutOfcpu', message: 'Node has not enough cpu' };
  const { images, warnings, deleted } = await open(t, { metadata: { name: NAME }, status });
  await assert.rejects(images.run(RUN), { message: ImageTrouble.NotStarted });
  assert.match(warnings.join('\n'), /OutOfcpu.*not enough cpu/);
  await deleted;
});

test('a pod whose image is not to be had is told so, without what the registry says', async (t) => {
  const message = 'dial tcp 10.0.0.7:443: connect: connection refused';
  const { images, warnings, deleted } = await open(t, withState({ waiting: { reason: 'ImagePullBackOff', message } }));
  await assert.rejects(images.run(RUN), { message: ImageTrouble.NotPulled });
  assert.match(warnings.join('\n'), /cannot be pulled: dial tcp/);
  await deleted;
});

test('a pod that may have been made is removed where the answer was lost', async (t) => {
  const { images, deleted } = await open(t, { metadata: { name: NAME } }, (response) => response.destroy());
  await assert.rejects(images.run(RUN), { message: ImageTrouble.NotStarted });
  assert.match(String((await deleted)[0]), new RegExp(`/${NAME}$`));
});

test('the time limit of a pod that an earlier process left counts from when it began to run', async (t) => {
  const startedAt = new Date(Date.now() - 2 * HOUR_MS).toISOString();
  const { metadata, status } = withState({ running: { startedAt } }, { phase: 'Running' });
  const annotations = {
    'qinling.openstack.org/invocation': RUN.invocationId,
    'qinling.openstack.org/timeout-ms': String(HOUR_MS),
  };
  const { images, deleted } = await open(t, { metadata: { ...metadata, annotations }, status });
  const [left] = await images.left();
  assert.equal(left?.invocationId, RUN.invocationId);
  const end = await left.end();
  assert.equal(end.exitCode, undefined);
  assert.ok(end.durationMs >= HOUR_MS);
  await deleted;
});

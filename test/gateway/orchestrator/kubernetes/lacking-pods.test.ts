import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { LackingPods } from '../../../../gateway/orchestrator/kubernetes/lacking-pods.ts';
import { Label, PodState } from '../../../../gateway/orchestrator/kubernetes/names.ts';
import { PodWatch } from '../../../../gateway/orchestrator/kubernetes/pod-watch.ts';
import type { PodObject } from '../../../../gateway/orchestrator/kubernetes/pod.ts';
import { FakeKubernetes, writeEvents } from '../../../support/fake-kubernetes.ts';

const NO_ROOM = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '1 Insufficient cpu.' };

function pod(name: string, state: string, conditions: readonly object[] = [NO_ROOM]): PodObject {
  const labels = { [Label.Runtime]: 'r', [Label.State]: state };
  return { metadata: { name, labels }, status: { conditions: conditions as never } };
}

async function open(t: TestContext, pods: readonly PodObject[], status: object) {
  const kubernetes = await FakeKubernetes.open(t, ({ method, path, query }) => {
    if (path.endsWith('/pods')) {
      if (query.has('watch')) return (response) => writeEvents(response, []);
      return [200, { metadata: { resourceVersion: '1' }, items: pods }];
    }
    assert.equal(path, '/apis/apps/v1/namespaces/n/deployments/runtime-r');
    return [200, method === 'GET' ? { metadata: { name: 'runtime-r' }, spec: { replicas: 3 }, status } : {}];
  });
  const watch = new PodWatch(kubernetes.client, 'n', { onGone: () => undefined, onWarning: () => undefined });
  await watch.start();
  t.after(() => watch.close());
  const patches = () => kubernetes.requests.filter(({ method }) => method === 'PATCH');
  return { lacking: new LackingPods(kubernetes.client, watch, 'n'), patches };
}

test('free pods that no node has room for are lacking', async (t) => {
  const pods = [
    pod('a', PodState.Free),
    pod('b', PodState.Free),
    pod('c', PodState.Taken),
    pod('d', PodState.Free, []),
  ];
  const { lacking, patches } = await open(t, pods, {});
  assert.equal(await lacking.count('r'), 2);
  assert.equal(patches().length, 0);
});

test('pods that a quota forbids are lacking, and are asked for again, but not all the time', async (t) => {
  const message =
    'pods "runtime-r-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4';
  const status = { replicas: 1, conditions: [{ type: 'ReplicaFailure', status: 'True', message }] };
  const { lacking, patches } = await open(t, [], status);
  assert.equal(await lacking.count('r'), 2);
  assert.equal(await lacking.count('r'), 2);
  assert.equal(patches().length, 1);
});

test('pods that are not made for another reason are not lacking: room would not help', async (t) => {
  const status = { replicas: 0, conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'no such account' }] };
  const { lacking, patches } = await open(t, [], status);
  assert.equal(await lacking.count('r'), 0);
  assert.equal(patches().length, 0);
});

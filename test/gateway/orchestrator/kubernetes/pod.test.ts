import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hasNewAgent,
  isEnding,
  lacksRoom,
  troubleOf,
  type PodObject,
} from '../../../../gateway/orchestrator/kubernetes/pod.ts';

const metadata = { name: 'p' };
const image = 'team/python:1';

function withRuntime(state: object, restartCount = 0, lastState: object = {}): PodObject {
  const status = { name: 'runtime', image, restartCount, state, lastState };
  return { metadata, status: { initContainerStatuses: [status] } };
}

test('a pod on its way has no trouble', () => {
  assert.equal(troubleOf({ metadata }), undefined);
  assert.equal(troubleOf(withRuntime({ waiting: { reason: 'PodInitializing' } })), undefined);
  assert.equal(troubleOf(withRuntime({ terminated: { exitCode: 0 } })), undefined);
});

test('no node for it is a trouble that may pass', () => {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' };
  const trouble = troubleOf({ metadata, status: { conditions: [condition] } });
  assert.deepEqual(trouble, { text: 'No node takes its pods: 0/1 nodes', isFinal: false });
});

test('a pod lacks room where others use what it asks for, not where no node is fit for it', () => {
  const unscheduled = (message: string) => {
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
    return lacksRoom({ metadata, status: { conditions: [condition] } });
  };
  assert.equal(
    unscheduled('0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}.'),
    true,
  );
  assert.equal(unscheduled('0/1 nodes are available: 1 Insufficient memory.'), true);
  assert.equal(unscheduled('0/1 nodes are available: 1 Too many pods.'), true);
  assert.equal(unscheduled('0/1 nodes are available: 1 node(s) were unschedulable.'), false);
  assert.equal(lacksRoom({ metadata }), false);
});

test('an image that cannot be pulled is told, and is final once the kubelet backs off', () => {
  const waiting = (reason: string) => troubleOf(withRuntime({ waiting: { reason, message: 'no such host' } }));
  const text = 'The image team/python:1 cannot be pulled: no such host';
  assert.deepEqual(waiting('ErrImagePull'), { text, isFinal: false });
  assert.deepEqual(waiting('ImagePullBackOff'), { text, isFinal: true });
  assert.deepEqual(waiting('InvalidImageName'), { text, isFinal: true });
});

test('an image that ends is told with its last words, and is final after some times', () => {
  const waiting = { waiting: { reason: 'CrashLoopBackOff' } };
  const terminated = { terminated: { exitCode: 1, message: 'no\n interpreter ' } };
  const text = 'The image team/python:1 ends with exit code 1: no interpreter';
  assert.deepEqual(troubleOf(withRuntime(terminated)), { text, isFinal: false });
  assert.deepEqual(troubleOf(withRuntime(waiting, 2, terminated)), { text, isFinal: true });
});

test('a reason is one line of bounded length', () => {
  const terminated = { terminated: { exitCode: 1, message: 'x'.repeat(10_000) } };
  assert.ok(troubleOf(withRuntime(terminated))!.text.length < 600);
});

test('a pod that is told to end, or has ended, is ending', () => {
  assert.equal(isEnding({ metadata: { name: 'p', deletionTimestamp: 'now' } }), true);
  assert.equal(isEnding({ metadata, status: { phase: 'Failed' } }), true);
  assert.equal(isEnding({ metadata, status: { phase: 'Running' } }), false);
});

test('an agent that was started again is known', () => {
  const agent = (restartCount: number): PodObject => ({
    metadata,
    status: { containerStatuses: [{ name: 'agent', image, restartCount }] },
  });
  assert.deepEqual([hasNewAgent({ metadata }), hasNewAgent(agent(0)), hasNewAgent(agent(1))], [false, false, true]);
});

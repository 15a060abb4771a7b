import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { PodWatch } from '../../../../gateway/orchestrator/kubernetes/pod-watch.ts';
import { TokenAuthenticator } from '../../../../gateway/orchestrator/kubernetes/token-authenticator.ts';
import { FakeKubernetes, type Answer } from '../../../support/fake-kubernetes.ts';

const HOUR_SECONDS = 3_600;
const RUNTIME = 'qinling.openstack.org/runtime';

function token(secondsLeft = HOUR_SECONDS): string {
  const claims = { exp: Math.floor(Date.now() / 1000) + secondsLeft };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

const accepted = (account: string, changes: object = {}): Answer => [
  201,
  {
    status: {
      authenticated: true,
      audiences: ['qinling'],
      user: {
        username: `system:serviceaccount:ns:${account}`,
        extra: {
          'authentication.kubernetes.io/pod-name': ['pod-1'],
          'authentication.kubernetes.io/pod-uid': ['uid-1'],
        },
      },
      ...changes,
    },
  },
];

const workerPod = (uid = 'uid-1'): Answer => [200, { metadata: { name: 'pod-1', uid, labels: { [RUNTIME]: 'r1' } } }];

async function open(t: TestContext, review: () => Answer, pod: () => Answer = workerPod) {
  const server = await FakeKubernetes.open(t, ({ path }) => (path.endsWith('/tokenreviews') ? review() : pod()));
  const watch = new PodWatch(server.client, 'ns', { onGone: () => undefined, onWarning: () => undefined });
  const authenticator = new TokenAuthenticator(server.client, watch, {
    namespace: 'ns',
    audience: 'qinling',
    workerAccount: 'worker',
    nodeAgentAccount: 'node-agent',
    isNodeRuntime: (name) => name === 'python3',
    onWarning: () => undefined,
  });
  const reviews = () => server.requests.filter(({ path }) => path.endsWith('/tokenreviews'));
  return { authenticator, reviews };
}

test('a worker is known by its token, and may serve the runtime of its pod alone', async (t) => {
  const { authenticator, reviews } = await open(t, () => accepted('worker'));
  const given = token();
  const identity = await authenticator.authenticate(`Bearer ${given}`);
  assert.deepEqual([identity?.agentName, identity?.isSingleUse], ['pod-1', true]);
  assert.deepEqual(
    [identity?.mayServe('r1'), identity?.mayServe('r2'), identity?.mayServe('python3')],
    [true, false, false],
  );
  assert.deepEqual((reviews()[0]!.body as { spec: object }).spec, { token: given, audiences: ['qinling'] });
});

test('an agent of a node may serve the runtimes of nodes alone', async (t) => {
  const { authenticator } = await open(t, () => accepted('node-agent'));
  const identity = await authenticator.authenticate(`Bearer ${token()}`);
  assert.equal(identity?.isSingleUse, false);
  assert.deepEqual([identity?.mayServe('python3'), identity?.mayServe('r1')], [true, false]);
});

test('a token is reviewed once for many requests, also for those that come together', async (t) => {
  const { authenticator, reviews } = await open(t, () => accepted('worker'));
  const header = `Bearer ${token()}`;
  await Promise.all([authenticator.authenticate(header), authenticator.authenticate(header)]);
  await authenticator.authenticate(header);
  assert.equal(reviews().length, 1);
});

test('a token of a pod that is gone proves nothing any more', async (t) => {
  let isGone = false;
  const { authenticator } = await open(t, () => (isGone ? [201, { status: {} }] : accepted('worker')));
  const header = `Bearer ${token()}`;
  assert.notEqual(await authenticator.authenticate(header), undefined);
  isGone = true;
  authenticator.forget('uid-1');
  assert.equal(await authenticator.authenticate(header), undefined);
});

test('nobody else is let in', async (t) => {
  const refusals: Record<string, [Answer, Answer?]> = {
    'a token that the server does not know': [[201, { status: { authenticated: false } }]],
    'a token for another audience': [accepted('worker', { audiences: ['api'] })],
    'another account': [accepted('default')],
    'a token that belongs to no pod': [
      accepted('worker', { user: { username: 'system:serviceaccount:ns:worker', extra: {} } }),
    ],
    'an account of another namespace': [
      accepted('worker', {
        user: {
          username: 'system:serviceaccount:other:worker',
          extra: {
            'authentication.kubernetes.io/pod-name': ['pod-1'],
            'authentication.kubernetes.io/pod-uid': ['uid-1'],
          },
        },
      }),
    ],
    'a pod of the same name that is another one': [accepted('worker'), workerPod('uid-2')],
    'a pod that is gone': [accepted('worker'), [404, { reason: 'NotFound' }]],
    'a pod without a runtime': [accepted('worker'), [200, { metadata: { name: 'pod-1', uid: 'uid-1', labels: {} } }]],
    'whoever comes while the server cannot be asked': [[500, { message: 'broken' }]],
  };
  for (const [name, [review, pod]] of Object.entries(refusals)) {
    const { authenticator } = await open(t, () => review, pod === undefined ? workerPod : () => pod);
    assert.equal(await authenticator.authenticate(`Bearer ${token()}`), undefined, name);
  }
});

test('what is no token, and one that has ended, is refused without asking', async (t) => {
  const { authenticator, reviews } = await open(t, () => accepted('worker'));
  for (const header of [
    '',
    'Bearer',
    'Bearer x',
    `Basic ${token()}`,
    `Bearer ${token(-1)}`,
    'Bearer a.b.c',
    `Bearer ${'x'.repeat(20_000)}`,
  ]) {
    assert.equal(await authenticator.authenticate(header), undefined, header.slice(0, 40));
  }
  assert.equal(reviews().length, 0);
});

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { PodWatch } from '../../../../gateway/orchestrator/kubernetes/pod-watch.ts';
import { FakeKubernetes, writeEvents, type ApiRequest } from '../../../support/fake-kubernetes.ts';

const pod = (name: string, resourceVersion: string, uid = name) => ({ metadata: { name, uid, resourceVersion } });
const list = (resourceVersion: string, ...items: object[]) => [200, { metadata: { resourceVersion }, items }] as const;

/** A watch over a server that answers lists from the given ones, in turn, and hands watches to the test. */
async function open(t: TestContext, lists: (readonly [number, object])[]) {
  const watches = new EventEmitter();
  const server = await FakeKubernetes.open(t, (request) => {
    if (!request.query.has('watch')) return lists.length > 1 ? lists.shift()! : lists[0]!;
    return (response) => watches.emit('watch', request, response);
  });
  const gone: string[] = [];
  const watch = new PodWatch(server.client, 'qinling', {
    onGone: ({ metadata }) => gone.push(metadata.uid!),
    onWarning: () => undefined,
  });
  t.after(() => watch.close());
  const next = async () => (await once(watches, 'watch')) as [ApiRequest, ServerResponse];
  return { watch, gone, next };
}

const namesIn = (watch: PodWatch) => [...watch].map(({ metadata }) => metadata.name).sort();

async function untilChanged(watch: PodWatch, isAsWanted: () => boolean): Promise<void> {
  while (!isAsWanted()) await new Promise<void>((resolve) => void watch.listen(resolve));
}

test('pods are known from the list, and then from what the watch tells', async (t) => {
  const { watch, gone, next } = await open(t, [list('5', pod('a', '1'), pod('b', '2'))]);
  const watching = next();
  await watch.start();
  assert.deepEqual(namesIn(watch), ['a', 'b']);
  const [request, response] = await watching;
  assert.equal(request.query.get('resourceVersion'), '5');
  writeEvents(response, [
    ['ADDED', pod('c', '6')],
    ['DELETED', pod('a', '7')],
  ]);
  await untilChanged(watch, () => gone.length === 1);
  assert.deepEqual(namesIn(watch), ['b', 'c']);
  assert.deepEqual(gone, ['a']);
});

test('a connection that ends is taken up from the last version that was seen', async (t) => {
  const { watch, next } = await open(t, [list('5')]);
  const first = next();
  await watch.start();
  const [, response] = await first;
  const second = next();
  writeEvents(response, [
    ['ADDED', pod('a', '8')],
    ['BOOKMARK', { metadata: { resourceVersion: '20' } }],
  ]);
  response.end();
  const [request] = await second;
  assert.equal(request.query.get('resourceVersion'), '20');
  assert.deepEqual(namesIn(watch), ['a']);
});

test('where the version is too old everything is read anew, and what went meanwhile is told', async (t) => {
  const { watch, gone, next } = await open(t, [
    list('5', pod('a', '1'), pod('b', '2')),
    list('90', pod('b', '80', 'another')),
  ]);
  const first = next();
  await watch.start();
  const [, response] = await first;
  const second = next();
  writeEvents(response, [['ERROR', { code: 410, reason: 'Expired' }]]);
  response.end();
  const [request] = await second;
  assert.equal(request.query.get('resourceVersion'), '90');
  assert.deepEqual(namesIn(watch), ['b']);
  assert.deepEqual(gone.sort(), ['a', 'b'], 'a pod of the same name is another one');
});

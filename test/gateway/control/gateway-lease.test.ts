import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { GatewayLease } from '../../../gateway/control/gateway-lease.ts';
import type { Store } from '../../../gateway/store/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { executionRecord } from '../../support/store-records.ts';
import { openSharedStores } from '../../support/throw-away-store.ts';

const NOW = Date.UTC(2026, 0, 15);
const LEASE = 10_000;

test('a gateway that gives signs of life is never taken for gone', async (t) => {
  const open = openSharedStores(t);
  const [a, b] = [await openLease(t, await open('a')), await openLease(t, await open('b'))];

  for (let second = 1; second <= 60; second++) {
    for (const { clock } of [a, b]) await clock.moveTo(NOW + second * 1_000);
  }

  assert.deepEqual([a.gone, b.gone, a.warnings, a.faults], [[], [], [], []]);
  assert.notEqual(a.numbers[0], b.numbers[0]);
  assert.deepEqual([a.numbers.length, b.numbers.length], [1, 1]);
});

test('what a gateway left is taken over a lease after its last sign, not before', async (t) => {
  const open = openSharedStores(t);
  const store = await open('a');
  const a = await openLease(t, store);
  const { gateways } = await open('b');
  await gateways.renew();
  await a.clock.moveTo(NOW + 8_000); // seen, and watched for 6 seconds
  await gateways.renew();
  await a.clock.moveTo(NOW + 10_000); // seen again
  await a.clock.moveTo(NOW + 19_999);
  await a.clock.asleep();
  assert.deepEqual(a.gone, []);

  await a.clock.moveTo(NOW + 20_000);
  await a.clock.asleep();

  assert.deepEqual(a.gone, ['b']);
  assert.deepEqual(a.warnings, ['gateway b gives no sign of life: what it left is taken over']);
  assert.deepEqual(await store.gateways.listOthers(), []);
  await a.clock.moveTo(NOW + 60_000);
  assert.deepEqual(a.gone, ['b']);
});

test('executions of a gateway that nobody knows any more are taken over too', async (t) => {
  const open = openSharedStores(t);
  const a = await openLease(t, await open('a'));
  await (await open('b')).executions.insert(executionRecord(), null);

  await a.clock.moveTo(NOW + 13_000);
  await a.clock.asleep();

  assert.deepEqual(a.gone, ['b']);
});

test('a gateway that slept itself takes nobody for gone', async (t) => {
  const open = openSharedStores(t);
  const a = await openLease(t, await open('a'));
  const { gateways } = await open('b');
  await gateways.renew();
  await a.clock.moveTo(NOW + 4_000);
  await a.clock.asleep();

  a.clock.jumpTo(NOW + 3_600_000); // both machines slept; this one wakes first
  await a.clock.moveTo(NOW + 3_600_000);
  await gateways.renew();
  await a.clock.moveTo(NOW + 3_604_000);
  await a.clock.asleep();

  assert.deepEqual([a.gone, a.warnings], [[], []]);
});

test('a gateway that was taken for gone and lives is told its new number, with a warning', async (t) => {
  const open = openSharedStores(t);
  const a = await openLease(t, await open('a'));
  const { gateways } = await open('b');
  const forget = async () => {
    for (const other of await gateways.listOthers()) await gateways.remove(other);
    await gateways.renew();
  };

  let nowMs = NOW;
  while (a.numbers.length === 1) {
    await forget(); // by chance it gets the same number: then nothing is to be told
    await a.clock.moveTo((nowMs += 2_000));
    await a.clock.asleep();
  }

  assert.notEqual(a.numbers[0], a.numbers[1]);
  assert.equal(a.warnings.length, 1);
  assert.match(a.warnings[0]!, /^this gateway gave no sign of life for so long/);
});

test('what could not be taken over is tried again', async (t) => {
  const open = openSharedStores(t);
  const store = await open('a');
  const a = await openLease(t, store);
  await (await open('b')).gateways.renew();
  a.fault = new Error('the disk is full');

  await a.clock.moveTo(NOW + 12_000);
  await a.clock.asleep();
  assert.deepEqual([a.gone, a.faults], [['b'], [a.fault]]);
  a.fault = undefined;
  await a.clock.moveTo(NOW + 14_000);
  await a.clock.asleep();

  assert.deepEqual(a.gone, ['b', 'b']);
  assert.deepEqual(await store.gateways.listOthers(), []);
});

test('nobody is watched before the gateway can take over', async (t) => {
  const open = openSharedStores(t);
  const a = await openLease(t, await open('a'), false);
  await (await open('b')).gateways.renew();

  await a.clock.moveTo(NOW + 60_000);
  await a.clock.asleep();

  assert.deepEqual(a.gone, []);
});

async function openLease(t: TestContext, store: Store, watches = true) {
  const clock = new FakeClock(NOW);
  const seen = {
    gone: [] as string[],
    numbers: [] as number[],
    faults: [] as unknown[],
    warnings: [] as string[],
    fault: undefined as Error | undefined,
  };
  const lease = new GatewayLease(store.gateways, {
    clock,
    leaseMs: LEASE,
    onNumber: (number) => seen.numbers.push(number),
    onGone: (gatewayId) => {
      seen.gone.push(gatewayId);
      return seen.fault === undefined ? Promise.resolve() : Promise.reject(seen.fault);
    },
    onFault: (cause) => seen.faults.push(cause),
    onWarning: (message) => seen.warnings.push(message),
  });
  await lease.start();
  if (watches) lease.watch();
  t.after(() => lease.close());
  return Object.assign(seen, { clock, lease });
}

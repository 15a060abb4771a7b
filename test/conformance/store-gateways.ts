import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GATEWAY_NUMBERS } from '../../gateway/execution-id.ts';
import { executionRecord, success } from '../support/store-records.ts';
import type { OpenShared } from './store.ts';

export function gatewayPromises(openShared: OpenShared): void {
  test('each gateway has a number of its own, the same at every sign of life', async (t) => {
    const open = openShared(t);
    const stores = [await open('a'), await open('b'), await open('c')];

    const numbers = await Promise.all(stores.map(({ gateways }) => gateways.renew()));
    const again = await Promise.all(stores.map(({ gateways }) => gateways.renew()));

    assert.equal(new Set(numbers).size, 3);
    assert.deepEqual(again, numbers);
    for (const number of numbers) assert.ok(Number.isInteger(number) && number >= 0 && number < GATEWAY_NUMBERS);
    const restarted = await open('b');
    assert.equal(await restarted.gateways.renew(), numbers[1]);
  });

  test('signs of life are seen by the others', async (t) => {
    const open = openShared(t);
    const [a, b] = [(await open('a')).gateways, (await open('b')).gateways];
    assert.deepEqual(await a.listOthers(), []);
    await Promise.all([a.renew(), b.renew()]);

    const [first] = await a.listOthers();
    await b.renew();
    const [second] = await a.listOthers();

    assert.equal(first!.id, 'b');
    assert.ok(second!.renewals! > first!.renewals!);
    assert.deepEqual(
      (await b.listOthers()).map(({ id }) => id),
      ['a'],
    );
  });

  test('a gateway is forgotten only if it gave no sign since', async (t) => {
    const open = openShared(t);
    const [a, b] = [(await open('a')).gateways, (await open('b')).gateways];
    await b.renew();
    const [seen] = await a.listOthers();
    await b.renew();

    await a.remove(seen!);
    const [late] = await a.listOthers();
    assert.equal(late!.id, 'b');
    await a.remove(late!);
    assert.deepEqual(await a.listOthers(), []);

    await b.renew(); // it lives after all
    assert.equal((await a.listOthers())[0]!.id, 'b');
  });

  test('a gateway that nobody knows is told of while it has running executions', async (t) => {
    const open = openShared(t);
    const [a, b] = [await open('a'), await open('b')];
    const record = executionRecord();
    await b.executions.insert(record, null);

    assert.deepEqual(await a.gateways.listOthers(), [{ id: 'b', renewals: undefined }]);
    await a.gateways.remove({ id: 'b', renewals: undefined });
    await b.executions.settle(record.id, success());
    assert.deepEqual(await a.gateways.listOthers(), []);
  });

  test('more gateways than there are numbers are refused, until one is forgotten', async (t) => {
    const open = openShared(t);
    const numbers: number[] = [];
    for (let count = 0; count < GATEWAY_NUMBERS; count++) {
      const store = await open(`gateway ${count}`);
      numbers.push(await store.gateways.renew());
      await store.close();
    }
    const { gateways } = await open('one more');

    assert.equal(new Set(numbers).size, GATEWAY_NUMBERS);
    await assert.rejects(gateways.renew(), /32 gateways use this database: no more can/);
    const [forgotten] = await gateways.listOthers();
    await gateways.remove(forgotten!);
    assert.ok(numbers.includes(await gateways.renew()));
  });
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HashingLine } from '../../../../gateway/auth/static/hashing-line.ts';

/** Work that ends when it is told to, and what has begun so far. */
function openWork() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  const end = async (name: string) => {
    ends.get(name)!();
    await new Promise(setImmediate);
  };
  return { begun, work, end };
}

describe('the line of slow hashes', () => {
  test('runs a few at a time', async () => {
    const line = new HashingLine(2);
    const { begun, work, end } = openWork();
    const all = ['a', 'b', 'c', 'd'].map((name) => line.run(name, work(name)));
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['a', 'b']);
    await end('b');
    assert.deepEqual(begun, ['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await end(name);
    assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
  });

  test('serves lanes in turn, so that many of one keep nobody out', async () => {
    const line = new HashingLine(1);
    const { begun, work, end } = openWork();
    const names = ['x0', 'x1', 'x2', 'x3', 'alice', 'bob'];
    const all = names.map((name) => line.run(name.startsWith('x') ? 'x' : name, work(name)));
    await new Promise(setImmediate);
    for (const name of ['x0', 'x1', 'alice', 'bob', 'x2', 'x3']) {
      assert.equal(begun.at(-1), name);
      await end(name);
    }
    await Promise.all(all);
  });

  test('refuses more than eight that wait in one lane, and no other', async () => {
    const line = new HashingLine(1);
    const { begun, work, end } = openWork();
    const all = Array.from({ length: 9 }, (_, index) => line.run('x', work(`x${index}`)));
    await assert.rejects(line.run('x', work('x9')), { code: 'TOO_BUSY', retryAfterSeconds: 1 });
    all.push(line.run('alice', work('alice')));
    for (let index = 0; index < 10; index++) {
      await new Promise(setImmediate);
      await end(begun.at(-1)!);
    }
    assert.equal((await Promise.all(all)).length, 10);
  });

  test('goes on after work that fails', async () => {
    const line = new HashingLine(1);
    const failed = line.run('x', () => Promise.reject(new Error('no memory')));
    const next = line.run('x', () => Promise.resolve('next'));
    await assert.rejects(failed, /no memory/);
    assert.equal(await next, 'next');
  });
});

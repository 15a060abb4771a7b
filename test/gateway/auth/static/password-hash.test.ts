import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  decoyHash,
  hashPassword,
  isPassword,
  parsePasswordHash,
} from '../../../../gateway/auth/static/password-hash.ts';

const QUICK = { logN: 4, r: 8, p: 1 };

describe('the hash of a password', () => {
  test('knows its password and no other', async () => {
    const text = await hashPassword('correct horse', QUICK);
    const hash = parsePasswordHash(text)!;
    assert.equal(await isPassword('correct horse', hash), true);
    for (const wrong of ['', 'correct hors', 'correct horse ', 'Correct horse']) {
      assert.equal(await isPassword(wrong, hash), false, wrong);
    }
    assert.notEqual(await hashPassword('correct horse', QUICK), text, 'salted');
  });

  test('is dear by default, and written as others write it', async () => {
    const text = await hashPassword('x');
    assert.match(text, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    const [, , , salt = '', key = ''] = text.split('$');
    const expected = scryptSync('x', Buffer.from(salt, 'base64'), 32, { N: 2 ** 15, r: 8, p: 3, maxmem: 2 ** 27 });
    assert.equal(key, expected.toString('base64').replaceAll('=', ''));
    assert.equal(await isPassword('x', parsePasswordHash(text)!), true);
  });

  const salt = 'A'.repeat(22);
  const key = 'A'.repeat(43);
  const BAD = [
    'secret',
    `$2b$12$${salt}`,
    `$scrypt$ln=15,r=8,p=3$${salt}`,
    `$scrypt$ln=15,r=8,p=3$${salt}$short`,
    `$scrypt$ln=0,r=8,p=1$${salt}$${key}`,
    `$scrypt$ln=15,r=0,p=1$${salt}$${key}`,
    `$scrypt$ln=24,r=8,p=1$${salt}$${key}`,
    `$scrypt$ln=15,r=8,p=99$${salt}$${key}`,
    `$scrypt$ln=15,r=8,p=3$${salt}$${key}$`,
    ` $scrypt$ln=15,r=8,p=3$${salt}$${key}`,
  ];
  for (const text of BAD) {
    test(`is not ${text.slice(0, 40)}`, () => assert.equal(parsePasswordHash(text), undefined));
  }

  test('may have another cost, within bounds', () => {
    for (const cost of ['ln=17,r=8,p=1', 'ln=14,r=8,p=5', 'ln=10,r=16,p=1']) {
      assert.ok(parsePasswordHash(`$scrypt$${cost}$${salt}$${key}`) !== undefined, cost);
    }
  });

  test('of nobody costs as much as another', () => {
    const { logN, r, p } = decoyHash(parsePasswordHash(`$scrypt$ln=14,r=8,p=5$${salt}$${key}`));
    assert.deepEqual([logN, r, p], [14, 8, 5]);
  });

  test('is read or refused, whatever it is, and what is read can be checked', async () => {
    const cost = fc.tuple(
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
    );
    const base64 = fc.stringMatching(/^[A-Za-z0-9+/]{0,90}={0,2}$/);
    const text = fc.oneof(
      fc.string(),
      fc.tuple(cost, base64, base64).map(([[n, r, p], a, b]) => `$scrypt$ln=${n},r=${r},p=${p}$${a}$${b}`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (written) => {
        const hash = parsePasswordHash(written);
        if (hash !== undefined) assert.equal(await isPassword('x', hash), false);
      }),
    );
  });
});

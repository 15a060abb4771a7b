import assert from 'node:assert/strict';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { StaticAuthenticator } from '../../../../gateway/auth/static/static-authenticator.ts';
import { newToken } from '../../../../gateway/auth/static/token.ts';
import { basic, knownUser, writeCredentials, type KnownUser } from '../../../support/credentials.ts';
import { emptyFolder } from '../../../support/folder.ts';

const ALICE = knownUser('alice', 'demo');
const ROOT = knownUser('root', 'ops', 'admin');
const WRONG = { code: 'UNAUTHENTICATED', message: 'The credentials of the request are not valid.' };
const MISSING = { code: 'UNAUTHENTICATED', message: 'The request requires authentication.' };

async function open(t: TestContext, users: readonly KnownUser[] = [ALICE, ROOT]) {
  const folder = emptyFolder(t);
  const path = await writeCredentials(folder, users);
  const lines: string[] = [];
  let onLine = () => {};
  const say = (level: string) => (message: string) => {
    lines.push(`${level} ${message.replaceAll(path, 'FILE')}`);
    onLine();
  };
  const log = { info: say('info'), warn: say('warn'), error: say('error') };
  const authenticator = new StaticAuthenticator(path, log);
  t.after(() => authenticator.close());
  const ask = (headers: Record<string, string>) => authenticator.authenticate(new Map(Object.entries(headers)));
  const nextLine = async () => {
    const alive = setInterval(() => undefined, 60_000); // the watch itself keeps no process alive
    await new Promise<void>((resolve) => (onLine = resolve));
    clearInterval(alive);
  };
  return { folder, path, lines, log, authenticator, ask, nextLine };
}

describe('static credentials', () => {
  test('know a user by a token, at once', async (t) => {
    const { ask } = await open(t);
    assert.deepEqual(ask({ 'x-auth-token': ALICE.token }), { userId: 'alice', projectId: 'demo', roles: ['member'] });
    assert.equal(ask({ 'x-auth-token': ROOT.token }), ask({ 'x-auth-token': ROOT.token }), 'the same object');
  });

  test('know a user by name and password, the second time at once', async (t) => {
    const { ask } = await open(t);
    const headers = { authorization: basic('alice', ALICE.password) };
    const first = ask(headers);
    assert.ok(first instanceof Promise);
    assert.deepEqual(await first, { userId: 'alice', projectId: 'demo', roles: ['member'] });
    assert.equal(ask(headers), await first);
    const lower = { authorization: headers.authorization.replace('Basic', 'basic') };
    assert.deepEqual(await ask(lower), await first);
  });

  test('check a password once for all requests that come together', async (t) => {
    const { ask } = await open(t);
    const headers = { authorization: basic('alice', ALICE.password) };
    const asked = Array.from({ length: 100 }, () => ask(headers));
    assert.equal(new Set(asked).size, 1);
    assert.equal(new Set(await Promise.all(asked.map((one) => Promise.resolve(one)))).size, 1);
  });

  const NOTHING: Record<string, Record<string, string>> = {
    nothing: {},
    'an empty token': { 'x-auth-token': '' },
    'an empty authorization': { authorization: '' },
    'another scheme': { authorization: 'Bearer abc' },
    'no base64': { authorization: 'Basic ???' },
    'no colon': { authorization: `Basic ${Buffer.from('alice').toString('base64')}` },
    'what others believe': { 'x-user-id': 'root', 'x-roles': 'admin', 'x-project-id': 'ops' },
  };
  for (const [what, headers] of Object.entries(NOTHING)) {
    test(`refuse ${what}`, async (t) => {
      const { ask } = await open(t);
      await assert.rejects(async () => ask(headers), MISSING);
    });
  }

  const BAD: Record<string, Record<string, string>> = {
    'an unknown token': { 'x-auth-token': newToken() },
    'the hash of a token': { 'x-auth-token': 'sha256:' },
    'a wrong token beside a right password': {
      'x-auth-token': 'notused',
      authorization: basic('alice', ALICE.password),
    },
    'a wrong password': { authorization: basic('alice', ROOT.password) },
    'an empty password': { authorization: basic('alice', '') },
    "a user's name in other letters": { authorization: basic('Alice', ALICE.password) },
    'an unknown user': { authorization: basic('mallory', 'x') },
    'a password of a megabyte': { authorization: basic('alice', 'x'.repeat(1_000_000)) },
  };
  for (const [what, headers] of Object.entries(BAD)) {
    test(`refuse ${what}, also the second time`, async (t) => {
      const { ask } = await open(t);
      await assert.rejects(async () => ask(headers), WRONG);
      await assert.rejects(async () => ask(headers), WRONG);
    });
  }

  test('know nobody by what they did not give out, whatever is sent', async (t) => {
    const { ask } = await open(t);
    const base64 = fc.string({ unit: 'binary' }).map((text) => `Basic ${Buffer.from(text).toString('base64')}`);
    const value = fc.oneof(base64, fc.string(), fc.constantFrom('Basic', 'Basic Og==', 'sha256:', ALICE.name));
    const headers = fc.dictionary(fc.constantFrom('authorization', 'x-auth-token', 'x-user-id'), value);
    await fc.assert(
      fc.asyncProperty(headers, async (sent) => {
        await assert.rejects(async () => ask(sent), { code: 'UNAUTHENTICATED' });
      }),
    );
  });

  test('serve who is known while others guess, and refuse what is too much', async (t) => {
    const { ask } = await open(t);
    const known = { authorization: basic('alice', ALICE.password) };
    await ask(known);
    const guesses = Array.from({ length: 200 }, (_, index) => ask({ authorization: basic(`u${index}`, 'x') }));
    assert.ok(!(ask(known) instanceof Promise));
    const other = ask({ authorization: basic('root', ROOT.password) }); // not known yet, and not behind the guesses
    const ends = await Promise.allSettled(guesses.map((guess) => Promise.resolve(guess)));
    const codes = ends.map((end) => (end.status === 'rejected' ? (end.reason as { code: string }).code : 'none'));
    assert.equal(new Set(codes).size, 2);
    assert.ok(codes.filter((code) => code === 'TOO_BUSY').length > 150, codes.join());
    assert.deepEqual(((await other) as { userId: string }).userId, 'root');
  });

  test('change when the file does: who is not in it any more is out', async (t) => {
    const { ask, authenticator, lines, folder } = await open(t);
    const headers = { authorization: basic('alice', ALICE.password) };
    await ask(headers);
    await writeCredentials(folder, [ROOT]);
    authenticator.reload();
    assert.deepEqual(lines, ['info FILE was read again (users: 1)']);
    assert.throws(() => ask({ 'x-auth-token': ALICE.token }), WRONG);
    await assert.rejects(async () => ask(headers), WRONG);
    assert.deepEqual(await ask({ 'x-auth-token': ROOT.token }), { userId: 'root', projectId: 'ops', roles: ['admin'] });
  });

  test('see by themselves that the file was changed or replaced', async (t) => {
    const { ask, nextLine, folder, path, lines } = await open(t);
    const bob = knownUser('bob', 'demo');
    let read = nextLine();
    await writeCredentials(folder, [ALICE, bob]);
    await read;
    assert.ok(ask({ 'x-auth-token': bob.token }));
    assert.throws(() => ask({ 'x-auth-token': ROOT.token }), WRONG);

    read = nextLine();
    const other = await writeCredentials(emptyFolder(t), [ROOT]);
    renameSync(other, path);
    await read;
    assert.ok(ask({ 'x-auth-token': ROOT.token }));
    assert.deepEqual(lines, ['info FILE was read again (users: 2)', 'info FILE was read again (users: 1)']);
  });

  test('stay as they were when the changed file is wrong, and tell why', async (t) => {
    const { ask, authenticator, path, lines } = await open(t);
    writeFileSync(path, '{"users": [{"name": "alice"}]}');
    authenticator.reload();
    assert.match(
      lines.join(),
      /^error the users stay as they were, for the file has faults:\nFILE: users\[0\] \(alice\)/,
    );
    assert.ok(ask({ 'x-auth-token': ALICE.token }));
  });

  test('warn of a file that everybody can read', async (t) => {
    const { path, log, lines } = await open(t);
    chmodSync(path, 0o644);
    new StaticAuthenticator(path, log).close();
    assert.deepEqual(lines, ['warn FILE can be read by everybody on this machine']);
  });
});

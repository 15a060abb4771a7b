import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { ANYBODY, NOBODY } from '../../../gateway/auth/access.ts';
import { createGuard, type GuardOptions } from '../../../gateway/auth/create.ts';
import { ConfigError } from '../../../gateway/config/config-error.ts';
import { basic, knownUser, writeCredentials } from '../../support/credentials.ts';
import { emptyFolder } from '../../support/folder.ts';

const ALICE = knownUser('alice', 'demo');
const ROOT = knownUser('root', 'ops', 'admin');
const FORBIDDEN = { code: 'NOT_ALLOWED', message: 'Operation not allowed' };

async function open(t: TestContext, policy?: string, options: Partial<GuardOptions> = {}) {
  const folder = emptyFolder(t);
  const credentialsFile = await writeCredentials(folder, [ALICE, ROOT]);
  const policyFile = policy === undefined ? '' : join(folder, 'policy');
  if (policy !== undefined) writeFileSync(policyFile, policy);
  const lines: string[] = [];
  const say = (message: string) => void lines.push(message.replaceAll(folder, 'FOLDER'));
  const log = { info: say, warn: say, error: say };
  const faults: string[] = [];
  try {
    const guard = createGuard({ type: 'static', credentialsFile, policyFile, ...options }, log);
    t.after(() => guard.close());
    return { guard, faults, lines, folder };
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    faults.push(...error.message.replaceAll(folder, 'FOLDER').split('\n'));
    return { guard: undefined, faults, lines, folder };
  }
}

const withToken = (token: string) => new Map([['x-auth-token', token]]);

describe('the guard', () => {
  test('lets everybody do everything while authentication is off, whatever a request says of its sender', async (t) => {
    const { guard, lines } = await open(t, '{"function:get": "!"}', { type: 'none' });
    const headers = new Map([
      ['x-auth-token', 'notused'],
      ['x-roles', 'member'],
      ['x-project-id', 'other'],
      ['authorization', 'Basic ???'],
    ]);
    assert.equal(guard!.admit('function:get', headers), ANYBODY);
    assert.equal(guard!.admit('function:detach', new Map()), ANYBODY);
    assert.equal(guard!.accessBy('function:get_all:all_projects', ANYBODY), ANYBODY);
    assert.deepEqual(lines, ['[oslo_policy] policy_file has no effect while authentication is off']);
  });

  test('lets callers do what the rule of the operation says', async (t) => {
    const { guard } = await open(t);
    const alice = guard!.admit('function:get', withToken(ALICE.token));
    assert.deepEqual(alice, { userId: 'alice', projectId: 'demo', roles: ['member'], isAdmin: false, scope: 'demo' });
    assert.throws(() => guard!.admit('function:detach', withToken(ALICE.token)), FORBIDDEN);
    const root = guard!.admit('function:detach', withToken(ROOT.token));
    assert.ok(!(root instanceof Promise));
    assert.deepEqual([root.scope, root.isAdmin], [null, true]);
    assert.equal(guard!.accessBy('webhook:create', root).scope, 'ops');
    assert.throws(() => guard!.accessBy('job:get_all:all_projects', alice as typeof root), FORBIDDEN);
  });

  test('says the same to passwords', async (t) => {
    const { guard } = await open(t);
    const headers = new Map([['authorization', basic('alice', ALICE.password)]]);
    await assert.rejects(async () => guard!.admit('function:detach', headers), FORBIDDEN);
    assert.throws(() => guard!.admit('function:detach', headers), FORBIDDEN, 'at once, when it is known');
    assert.deepEqual(guard!.admit('function:get', headers), guard!.admit('function:get', withToken(ALICE.token)));
  });

  test('asks nobody for what is public, and gives nothing there', async (t) => {
    const { guard } = await open(t);
    assert.equal(guard!.admit('public', new Map()), NOBODY);
    assert.equal(guard!.admit('public', withToken('wrong')), NOBODY);
  });

  test('only finds out who asks where there is no rule', async (t) => {
    const { guard } = await open(t);
    assert.equal(guard!.admit(undefined, withToken(ALICE.token)), NOBODY);
    assert.throws(() => guard!.admit(undefined, new Map()), { code: 'UNAUTHENTICATED' });
    assert.match(guard!.challenge, /^Basic realm="/);
  });

  test('takes rules from a file, in YAML or in JSON', async (t) => {
    for (const policy of ['# ours\nfunction:detach: rule:admin_or_owner\n', '{"function:detach": "role:member",}']) {
      const { guard, faults } = await open(t, policy);
      assert.deepEqual(faults, []);
      const access = guard!.admit('function:detach', withToken(ALICE.token));
      assert.equal((access as { scope: unknown }).scope, policy.startsWith('#') ? 'demo' : null);
    }
    assert.deepEqual((await open(t, '')).faults, []);
  });

  test('tells every fault of every file', async (t) => {
    const policy = 'function:crate: role:admin\nfunction:get: role:a or\nfunction:update: 7\n';
    const { faults } = await open(t, policy, { credentialsFile: '/does/not/exist' });
    assert.deepEqual(faults, [
      'FOLDER/policy: function:update: must be text',
      'FOLDER/policy: function:crate: there is no such operation',
      'FOLDER/policy: function:get: ends where a check is expected',
      '/does/not/exist: cannot be read (ENOENT)',
    ]);
    assert.deepEqual((await open(t, '[]')).faults, ['FOLDER/policy: must hold rules by name']);
    assert.deepEqual((await open(t, 'a: b\n  c')).faults.length, 1);
    assert.deepEqual((await open(t, undefined, { policyFile: '/does/not/exist' })).faults, [
      '/does/not/exist: cannot be read (ENOENT)',
    ]);
  });

  test('takes the rules of the documentation', async (t) => {
    const page = readFileSync(new URL('../../../../docs/authentication.md', import.meta.url), 'utf8');
    const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml!);
    const policy = blocks.find((yaml) => yaml.includes('context_is_admin:'));
    assert.ok(policy !== undefined);
    const { faults, lines } = await open(t, policy);
    assert.deepEqual([faults, lines], [[], []]);
  });

  test('warns of rules that mean less than they seem to', async (t) => {
    const { lines } = await open(t, 'function:get: user_id:%(user_id)s');
    assert.match(lines.join(), /^FOLDER\/policy: function:get: records keep their project, not their user/);
  });
});

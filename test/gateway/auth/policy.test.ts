import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Identity } from '../../../gateway/auth/access.ts';
import { OPEN_POLICY, RulePolicy } from '../../../gateway/auth/policy.ts';
import { NAMED_RULES, RULES, type RuleName } from '../../../gateway/auth/rules.ts';

const MEMBER: Identity = { userId: 'alice', projectId: 'demo', roles: ['member'] };
const ADMIN: Identity = { userId: 'root', projectId: 'ops', roles: ['reader', 'Admin'] };
const NAMES = Object.keys(RULES) as RuleName[];

/** The projects that the operation touches for the identity: 'none', 'every' or the own one's name. */
function scopeOf(identity: Identity, rule: RuleName, replaced: Record<string, string> = {}): string {
  const { policy, faults } = RulePolicy.from(replaced);
  assert.ok(policy !== undefined, faults.join('\n'));
  try {
    return policy.access(identity, rule).scope ?? 'every';
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, 'NOT_ALLOWED');
    assert.equal((error as Error).message, 'Operation not allowed');
    return 'none';
  }
}

/** Of the contract with users: whatever is not named here is for tenants. */
const ADMINS_ONLY = [
  'runtime:create runtime:update runtime:delete runtime_pool:get_all',
  'function:scale_up function:scale_down function:detach function_worker:get_all',
  'function_version:scale_up function_version:scale_down function_version:detach',
  'function:get_all:all_projects function_alias:get_all:all_projects execution:get_all:all_projects',
  'job:get_all:all_projects webhook:get_all:all_projects',
].flatMap((names) => names.split(' '));
const OWNERS_ONLY = 'function:delete function_version:create function_version:delete webhook:create webhook:update';

test('what is for administrators or owners only is so, and nothing else', () => {
  const of = (who: string) => NAMES.filter((name) => RULES[name] === who).sort();
  assert.deepEqual(of('admin'), ADMINS_ONLY.sort());
  assert.deepEqual(of('owner'), OWNERS_ONLY.split(' ').sort());
  assert.deepEqual(of('public'), ['public']);
});

describe('the policy without a file', () => {
  const EXPECTED = {
    tenant: ['demo', 'every'],
    owner: ['demo', 'ops'],
    admin: ['none', 'every'],
    public: ['', ''],
  };
  for (const name of NAMES) {
    test(`${name}: ${RULES[name]}`, () => {
      assert.deepEqual([scopeOf(MEMBER, name), scopeOf(ADMIN, name)], EXPECTED[RULES[name]]);
    });
  }

  test('tells operations who asks', () => {
    const { policy } = RulePolicy.from();
    const expected = { userId: 'root', projectId: 'ops', roles: ['reader', 'Admin'], isAdmin: true, scope: null };
    assert.deepEqual(policy!.access(ADMIN, 'function:get'), expected);
    assert.equal(policy!.access(MEMBER, 'function:get').isAdmin, false);
    assert.equal(policy!.access(MEMBER, 'function:get'), policy!.access(MEMBER, 'function:get'), 'is asked once');
  });
});

test('while authentication is off everybody may do everything', () => {
  for (const name of NAMES) assert.equal(OPEN_POLICY.access(MEMBER, name).scope, null);
});

describe("an operator's policy", () => {
  test('replaces single rules', () => {
    assert.equal(scopeOf(MEMBER, 'function:detach', { 'function:detach': 'rule:admin_or_owner' }), 'demo');
    assert.equal(scopeOf(MEMBER, 'function:create', { 'function:create': 'role:developer' }), 'none');
    assert.equal(scopeOf(ADMIN, 'execution:get', { 'execution:get': 'rule:owner' }), 'ops');
    assert.equal(scopeOf(MEMBER, 'execution:get', { 'execution:get': '@' }), 'every');
    assert.equal(scopeOf(MEMBER, 'execution:get', { 'execution:get': '!' }), 'none');
    const service = { 'execution:get_all:all_projects': 'rule:context_is_admin or project_id:demo' };
    assert.equal(scopeOf(MEMBER, 'execution:get_all:all_projects', service), 'every');
  });

  test('replaces the rules that others refer to, and defines its own', () => {
    const replaced = { context_is_admin: 'role:admin or rule:operators', operators: 'project_id:demo' };
    assert.equal(scopeOf(MEMBER, 'runtime:create', replaced), 'every');
    assert.equal(scopeOf(MEMBER, 'function:get', { default: '!' }), 'none');
    assert.equal(scopeOf(ADMIN, 'runtime:create', { default: '!' }), 'every');
    assert.equal(scopeOf(ADMIN, 'function:get', { admin_or_owner: 'rule:owner' }), 'ops');
  });

  test('makes an administrator only of whom it calls one', () => {
    const ruleOfAll = RulePolicy.from({ context_is_admin: 'rule:owner' }).policy!;
    assert.equal(ruleOfAll.access(ADMIN, 'function:get').isAdmin, false, 'every caller owns the own records');
    const byFlag = RulePolicy.from({ context_is_admin: 'is_admin:True', 'function:get': '@' }).policy!;
    assert.equal(byFlag.access(ADMIN, 'function:get').isAdmin, false);
    const flagged = { 'runtime:create': 'is_admin:True' };
    assert.deepEqual(
      [scopeOf(ADMIN, 'runtime:create', flagged), scopeOf(MEMBER, 'runtime:create', flagged)],
      ['every', 'none'],
    );
  });

  test('gives nothing where only the records of others were allowed', () => {
    assert.equal(scopeOf(MEMBER, 'function:get', { 'function:get': 'not rule:owner' }), 'none');
  });

  test('holds as the sample of the Python Qinling has it', () => {
    const admin = 'rule:context_is_admin';
    const sample = {
      context_is_admin: 'role:admin or is_admin:1',
      owner: 'project_id:%(project_id)s',
      admin_or_owner: 'rule:context_is_admin or rule:owner',
      default: 'rule:admin_or_owner',
      'runtime:create': admin,
      'function:get_all:all_projects': admin,
      'function_worker:get_all': admin,
      'function_version:detach': admin,
    };
    for (const name of NAMES) {
      assert.equal(scopeOf(MEMBER, name, sample), scopeOf(MEMBER, name), name);
      assert.equal(scopeOf(ADMIN, name, sample), scopeOf(ADMIN, name), name);
    }
  });

  test('is checked as a whole: every fault is told', () => {
    const { policy, faults } = RulePolicy.from({
      'function:crate': 'role:admin',
      'function:create': 'role:a or',
      'function:get': 'rule:nobody and rule:nobody',
      public: 'role:admin',
      'job:get': 'rule:job:get',
      default: 'rule:mine',
      mine: 'not rule:admin_or_owner or rule:job:create',
    });
    assert.equal(policy, undefined);
    assert.deepEqual(faults, [
      'function:crate: there is no such operation',
      'function:create: ends where a check is expected',
      'public: what needs no authentication cannot be changed',
      "function:get: there is no rule 'nobody'",
      'job:get: refers to itself (job:get → job:get)',
      'default: refers to itself (default → mine → job:create → default)',
    ]);
  });

  test('says where it means less than it seems to', () => {
    const { policy, warnings } = RulePolicy.from({ 'function:get': 'role:x or not user_id:%(user_id)s' });
    assert.ok(policy !== undefined);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /^function:get: records keep their project, not their user/);
  });

  test('may lead through many rules, but not without end, and each is asked once', () => {
    const doubled = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`r${index}`, `rule:r${index + 1} or rule:r${index + 1}`]),
      );
    assert.equal(scopeOf(MEMBER, 'job:get', { ...doubled(98), r98: '!', 'job:get': 'rule:r0' }), 'none');
    const { faults } = RulePolicy.from({ ...doubled(100), r100: '!', 'job:get': 'rule:r0' });
    assert.deepEqual(faults, ['r0: leads through more than 100 rules']);
  });
});

test('whatever a policy says, nobody outside of its scope is in it: rules never widen what a wider rule refuses', () => {
  const check = fc.constantFrom('rule:owner', 'rule:context_is_admin', 'role:member', 'is_admin:True', '@', '!');
  const identity = fc.constantFrom(MEMBER, ADMIN);
  const size = (scope: string) => (scope === 'none' ? 0 : scope === 'every' ? 2 : 1);
  fc.assert(
    fc.property(check, check, identity, (one, other, who) => {
      const scope = (text: string) => size(scopeOf(who, 'job:get', { 'job:get': text }));
      assert.equal(scope(`${one} and ${other}`), Math.min(scope(one), scope(other)));
      assert.equal(scope(`${one} or ${other}`), Math.max(scope(one), scope(other)));
    }),
  );
});

test('no operation and no named rule share a name', () => {
  assert.deepEqual(
    Object.keys(NAMED_RULES).filter((name) => Object.hasOwn(RULES, name)),
    [],
  );
});

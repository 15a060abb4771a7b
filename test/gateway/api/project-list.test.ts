import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PROJECT_ARGUMENTS } from '../../../gateway/api/operation.ts';
import { readProjectList } from '../../../gateway/api/project-list.ts';
import { ANYBODY, type Identity } from '../../../gateway/auth/access.ts';
import { OPEN_POLICY, RulePolicy, type Policy } from '../../../gateway/auth/policy.ts';
import type { Exchange } from '../../../gateway/http/exchange.ts';

const MEMBER: Identity = { userId: 'alice', projectId: 'demo', roles: ['member'] };
const ADMIN: Identity = { userId: 'root', projectId: 'ops', roles: ['admin'] };
const DECLARED = { ...PROJECT_ARGUMENTS, status: { schema: {}, help: '', filter: 'status' } };

/** The projects that the list shows, and the other filters: `every projectId in a,b; status eq x`. */
function shown(identity: Identity, query: string, policy: Policy = RulePolicy.from().policy!): string {
  const exchange = {
    query,
    access: policy.access(identity, 'job:get_all'),
    accessBy: (rule: 'job:get_all') => policy.access(identity, rule),
  };
  try {
    const list = readProjectList(exchange as unknown as Exchange, DECLARED, 'job:get_all:all_projects');
    const filters = list.filters.map(({ field, operator, values }) => `${field} ${operator} ${values.join()}`);
    return [list.access.scope ?? 'every', ...filters].join('; ');
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
}

describe('a list of records that belong to projects', () => {
  const ROWS: [caller: string, query: string, expected: string][] = [
    ['member', '', 'demo'],
    ['member', 'all_projects=false', 'demo'],
    ['member', 'all_projects=0&status=x', 'demo; status eq x'],
    ['member', 'project_id=other', 'demo'],
    ['member', 'project_id=neq:demo&all_projects=no&status=neq:x', 'demo; status neq x'],
    ['member', 'all_projects=true', 'NOT_ALLOWED: Operation not allowed'],
    ['member', 'all_projects=True', 'NOT_ALLOWED: Operation not allowed'],
    ['member', 'all_projects=1&project_id=demo', 'NOT_ALLOWED: Operation not allowed'],
    ['member', 'all_projects=false&all_projects=yes', 'NOT_ALLOWED: Operation not allowed'],
    ['member', 'all%5Fprojects=%74rue', 'NOT_ALLOWED: Operation not allowed'],
    ['admin', '', 'ops'],
    ['admin', 'all_projects=false', 'ops'],
    ['admin', 'all_projects=t', 'every'],
    ['admin', 'all_projects=on&status=x', 'every; status eq x'],
    ['admin', 'project_id=demo', 'every; projectId eq demo'],
    ['admin', 'project_id=in:demo,ops&all_projects=false', 'every; projectId in demo,ops'],
    ['admin', 'all_projects=true&project_id=has:de', 'every; projectId has de'],
    ['anybody', '', 'default'],
    ['anybody', 'all_projects=true', 'default'],
    ['anybody', 'project_id=other&status=x', 'default; status eq x'],
  ];
  const CALLERS: Record<string, [Identity, Policy?]> = {
    member: [MEMBER],
    admin: [ADMIN],
    anybody: [ANYBODY, OPEN_POLICY],
  };
  for (const [caller, query, expected] of ROWS) {
    test(`shows to ${caller}, asked with "${query}", ${expected}`, () => {
      const [identity, policy] = CALLERS[caller]!;
      assert.equal(shown(identity, query, policy), expected);
    });
  }

  for (const caller of [MEMBER, ADMIN]) {
    test(`takes all_projects for a boolean (${caller.userId})`, () => {
      for (const text of ['maybe', '', '2', 'eq:true', 'null']) {
        assert.match(shown(caller, `all_projects=${text}`), /^INVALID_INPUT: .*all_projects.*Expected a boolean\.$/);
      }
      assert.match(shown(caller, 'all_projects'), /^INVALID_INPUT/);
      assert.equal(shown(caller, 'tenant_id=x'), 'INVALID_INPUT: Unknown argument: "tenant_id"');
    });
  }

  test("shows no more than the operator's rule for all projects lets see", () => {
    const ofOwner = RulePolicy.from({ 'job:get_all:all_projects': 'rule:owner' }).policy;
    assert.equal(shown(MEMBER, 'all_projects=true', ofOwner), 'demo');
    assert.equal(shown(MEMBER, 'project_id=other', ofOwner), 'demo; projectId eq other');
    const ofMember = RulePolicy.from({ 'job:get_all:all_projects': 'role:member' }).policy;
    assert.equal(shown(MEMBER, 'all_projects=true', ofMember), 'every');
    assert.equal(shown(ADMIN, 'all_projects=true', ofMember), 'NOT_ALLOWED: Operation not allowed');
  });
});

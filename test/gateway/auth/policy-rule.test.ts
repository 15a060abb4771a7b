import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  OF_RECORD,
  PolicyRuleError,
  holds,
  parsePolicyRule,
  type PolicyQuestion,
  type Rule,
} from '../../../gateway/auth/policy-rule.ts';

const ALICE: PolicyQuestion = {
  identity: { userId: 'alice', projectId: 'demo', roles: ['Member', 'reader'] },
  isAdmin: false,
  ofRecord: { project_id: 'demo', user_id: 'bob' },
};

function asks(text: string, question: PolicyQuestion = ALICE): boolean {
  return holds(parsePolicyRule(text), question, (name) => name === 'yes');
}

describe('a rule of access', () => {
  test('checks what is known of the caller and of the record', () => {
    const holding = ['', '@', 'role:member', 'role:READER', 'is_admin:False', 'is_admin:0', 'project_id:demo'];
    holding.push('project_id:%(project_id)s', 'user_id:alice', 'rule:yes');
    const failing = ['!', 'role:admin', 'is_admin:True', 'is_admin:1', 'project_id:other', 'user_id:%(user_id)s'];
    failing.push('rule:no', 'user_id:bob', 'role:memb');
    for (const text of holding) assert.equal(asks(text), true, text);
    for (const text of failing) assert.equal(asks(text), false, text);
    assert.equal(asks('is_admin:true', { ...ALICE, isAdmin: true }), true);
  });

  test('joins checks as Python does', () => {
    assert.equal(asks('@ or @ and !'), true);
    assert.equal(asks('(@ or @) and !'), false);
    assert.equal(asks('not ! and !'), false);
    assert.equal(asks('not (! and !)'), true);
    assert.equal(asks('not not @'), true);
    assert.equal(asks('!  OR\tNot !\nAND @'), true);
  });

  test('takes a parenthesis within a word for a part of it', () => {
    assert.equal(asks('(project_id:%(project_id)s)'), true);
    assert.equal(asks('((role:admin or project_id:%(project_id)s) and role:reader)'), true);
    assert.deepEqual(parsePolicyRule('(role:a(b)c)'), { kind: 'role', name: 'a(b)c' });
  });

  const FAULTS: [string, RegExp][] = [
    ['   ', /^ends where a check is expected$/],
    ['role:a or', /^ends where a check is expected$/],
    ['role:a role:b', /^'role:b' is not expected there$/],
    ['and role:a', /^'and' is not expected there$/],
    ['(role:a', /^a parenthesis is not closed$/],
    ['role:a )', /^'\)' is not expected there$/],
    ['(role:a)and role:b', /^'role:b' is not expected there$|^a parenthesis is not closed$/],
    ['()', /^'\)' is not expected there$/],
    ['admin', /^'admin' is no check: kind:value is expected$/],
    ['role:', /^'role:' is no check/],
    ['http://host/check', /^'http:.*there is no check 'http', only rule, role, is_admin, project_id, user_id$/],
    ['roles:admin', /there is no check 'roles'/],
    ['tenant:%(project_id)s', /there is no check 'tenant'/],
    ['is_admin:maybe', /True or False is expected$/],
    ['is_admin:constructor', /True or False is expected$/],
    ['project_id:%(user_id)s', /only %\(project_id\)s can be asked for here$/],
    ['role:%(role.name)s', /a record has no role$/],
    [`${'('.repeat(31)}@${')'.repeat(31)}`, /^is nested more than 30 deep$/],
    [`${'not '.repeat(31)}@`, /^is nested more than 30 deep$/],
    ['@ or '.repeat(1000), /^is longer than 4096 characters$/],
  ];
  for (const [text, message] of FAULTS) {
    test(`"${text.slice(0, 40)}" is refused, and it is told why`, () => {
      assert.throws(() => parsePolicyRule(text), { name: 'PolicyRuleError', message });
    });
  }

  test('may be 30 deep and long', () => {
    assert.equal(asks(`${'('.repeat(30)}@${')'.repeat(30)}`), true);
    assert.equal(asks(`! ${'or ! '.repeat(800)}or @`), true);
  });
});

const written = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });
const word = fc.stringMatching(/^[a-z][a-z0-9_:.-]{0,8}$/);
const { rule: anyRule } = fc.letrec<{ rule: Rule }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant<Rule>({ kind: 'always' }),
    fc.constant<Rule>({ kind: 'never' }),
    written({ kind: fc.constant('rule'), name: fc.constantFrom('yes', 'no') }),
    written({ kind: fc.constant('role'), name: fc.oneof(word, fc.constant('member')) }),
    written({ kind: fc.constant('is_admin'), expected: fc.boolean() }),
    written({
      kind: fc.constantFrom('project_id', 'user_id'),
      expected: fc.oneof(word, fc.constantFrom('demo', 'alice', OF_RECORD)),
    }),
    written({ kind: fc.constant('not'), rule: tie('rule') }),
    written({
      kind: fc.constantFrom('and', 'or'),
      rules: fc.array(tie('rule'), { minLength: 2, maxLength: 3 }),
    }),
  ) as fc.Arbitrary<Rule>,
}));

/** The text of a rule, with a parenthesis around all that has parts. */
function textOf(rule: Rule): string {
  switch (rule.kind) {
    case 'always':
      return '@';
    case 'never':
      return '!';
    case 'not':
      return `(not ${textOf(rule.rule)})`;
    case 'and':
    case 'or':
      return `(${rule.rules.map(textOf).join(` ${rule.kind} `)})`;
    case 'rule':
    case 'role':
      return `${rule.kind}:${rule.name}`;
    case 'is_admin':
      return `is_admin:${rule.expected ? 'True' : 'False'}`;
    default:
      return `${rule.kind}:${rule.expected === OF_RECORD ? `%(${rule.kind})s` : rule.expected}`;
  }
}

test('every rule that can be written is read as it is meant', () => {
  fc.assert(fc.property(anyRule, (rule) => assert.deepEqual(parsePolicyRule(textOf(rule)), rule)));
});

test('any text is a rule or is refused with a reason', () => {
  const part = fc.constantFrom(
    '(',
    ')',
    ' ',
    'and',
    'or',
    'not',
    '@',
    '!',
    'role:a',
    'rule:yes',
    '%(project_id)s',
    ':',
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(part, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (written) => {
      try {
        assert.equal(typeof asks(written), 'boolean');
      } catch (error) {
        assert.ok(error instanceof PolicyRuleError, String(error));
        assert.ok(error.message.length < 300);
      }
    }),
    { numRuns: 2_000 },
  );
});

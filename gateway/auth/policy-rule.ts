import type { Identity } from './access.ts';

/**
 * The language of access rules that operators of OpenStack know (oslo.policy): checks joined by `and`, `or`, `not` and
 * parentheses. `@` and an empty text always hold, `!` never.
 */

/** What `%(project_id)s` and `%(user_id)s` stand for: that of the record which is asked for. */
export const OF_RECORD = Symbol('of the record');

export type Rule =
  | { readonly kind: 'always' }
  | { readonly kind: 'never' }
  | { readonly kind: 'not'; readonly rule: Rule }
  | { readonly kind: 'and' | 'or'; readonly rules: readonly Rule[] }
  | { readonly kind: 'rule' | 'role'; readonly name: string }
  | { readonly kind: 'is_admin'; readonly expected: boolean }
  | { readonly kind: 'project_id' | 'user_id'; readonly expected: string | typeof OF_RECORD };

/** What a rule is asked about: who asks, and whose record it is (undefined: somebody else's). */
export interface PolicyQuestion {
  readonly identity: Identity;
  readonly isAdmin: boolean;
  readonly ofRecord: { readonly project_id: string | undefined; readonly user_id: string | null | undefined };
}

/** A text that is no rule; the message says why, for whoever wrote it. */
export class PolicyRuleError extends Error {
  override readonly name = 'PolicyRuleError';
}

const MAX_CHARACTERS = 4_096;
/** Parentheses and `not` within each other. */
const MAX_DEPTH = 30;
const ALWAYS: Rule = { kind: 'always' };
const NEVER: Rule = { kind: 'never' };

/** Throws PolicyRuleError. */
export function parsePolicyRule(text: string): Rule {
  if (text.length > MAX_CHARACTERS) throw new PolicyRuleError(`is longer than ${MAX_CHARACTERS} characters`);
  return text === '' ? ALWAYS : new Parser(text).parse();
}

/** The names that a rule refers to by `rule:`. */
export function referencesOf(rule: Rule): string[] {
  switch (rule.kind) {
    case 'not':
      return referencesOf(rule.rule);
    case 'and':
    case 'or':
      return rule.rules.flatMap(referencesOf);
    case 'rule':
      return [rule.name];
    default:
      return [];
  }
}

/** True if the rule looks at the user of a record. */
export function asksForUser(rule: Rule): boolean {
  if (rule.kind === 'not') return asksForUser(rule.rule);
  if (rule.kind === 'and' || rule.kind === 'or') return rule.rules.some(asksForUser);
  return rule.kind === 'user_id' && rule.expected === OF_RECORD;
}

/** `ask` answers for the rules that `rule:` refers to. */
export function holds(rule: Rule, question: PolicyQuestion, ask: (name: string) => boolean): boolean {
  switch (rule.kind) {
    case 'always':
      return true;
    case 'never':
      return false;
    case 'not':
      return !holds(rule.rule, question, ask);
    case 'and':
      return rule.rules.every((part) => holds(part, question, ask));
    case 'or':
      return rule.rules.some((part) => holds(part, question, ask));
    case 'rule':
      return ask(rule.name);
    case 'role':
      return question.identity.roles.some((role) => role.toLowerCase() === rule.name.toLowerCase());
    case 'is_admin':
      return question.isAdmin === rule.expected;
    case 'project_id':
      return question.identity.projectId === valueOf(rule.expected, question.ofRecord.project_id);
    case 'user_id':
      return question.identity.userId === valueOf(rule.expected, question.ofRecord.user_id);
  }
}

function valueOf<T>(expected: string | typeof OF_RECORD, ofRecord: T): string | T {
  return expected === OF_RECORD ? ofRecord : expected;
}

/** `or` binds less than `and`, `and` less than `not`, as in Python. */
class Parser {
  readonly #tokens: readonly string[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  parse(): Rule {
    const rule = this.#any();
    const rest = this.#tokens[this.#next];
    if (rest !== undefined) throw new PolicyRuleError(`${show(rest)} is not expected there`);
    return rule;
  }

  #any(): Rule {
    return this.#joined('or', () => this.#joined('and', () => this.#one()));
  }

  #joined(kind: 'and' | 'or', part: () => Rule): Rule {
    const rules = [part()];
    while (isWord(this.#tokens[this.#next], kind)) {
      this.#next++;
      rules.push(part());
    }
    return rules.length === 1 ? rules[0]! : { kind, rules };
  }

  #one(): Rule {
    const token = this.#tokens[this.#next++];
    if (token === undefined) throw new PolicyRuleError('ends where a check is expected');
    if (isWord(token, 'not')) return { kind: 'not', rule: this.#deeper(() => this.#one()) };
    if (token === '(') return this.#deeper(() => this.#inParentheses());
    if (token === ')' || isWord(token, 'and') || isWord(token, 'or')) {
      throw new PolicyRuleError(`${show(token)} is not expected there`);
    }
    return parseCheck(token);
  }

  #inParentheses(): Rule {
    const rule = this.#any();
    if (this.#tokens[this.#next++] !== ')') throw new PolicyRuleError('a parenthesis is not closed');
    return rule;
  }

  #deeper(parse: () => Rule): Rule {
    if (++this.#depth > MAX_DEPTH) throw new PolicyRuleError(`is nested more than ${MAX_DEPTH} deep`);
    const rule = parse();
    this.#depth--;
    return rule;
  }
}

function isWord(token: string | undefined, word: string): boolean {
  return token?.toLowerCase() === word;
}

/** Words and parentheses. One within a word, as in `%(project_id)s`, belongs to it. */
function tokensOf(text: string): string[] {
  return text.split(/\s+/).flatMap((part) => {
    const [, opening = '', word = '', closing = ''] = /^(\(*)(.*?)(\)*)$/s.exec(part) ?? [];
    return [...opening.split(''), ...(word === '' ? [] : [word]), ...closing.split('')];
  });
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };

function parseCheck(token: string): Rule {
  if (token === '@') return ALWAYS;
  if (token === '!') return NEVER;
  const colon = token.indexOf(':');
  const kind = token.slice(0, colon);
  const value = token.slice(colon + 1);
  if (colon < 0 || value === '') throw new PolicyRuleError(`${show(token)} is no check: kind:value is expected`);
  switch (kind) {
    case 'rule':
      return { kind, name: value };
    case 'role':
      if (value.includes('%(')) throw new PolicyRuleError(`${show(token)}: a record has no role`);
      return { kind, name: value };
    case 'is_admin': {
      const expected = Object.hasOwn(BOOLEANS, value.toLowerCase()) ? BOOLEANS[value.toLowerCase()] : undefined;
      if (expected === undefined) throw new PolicyRuleError(`${show(token)}: True or False is expected`);
      return { kind, expected };
    }
    case 'project_id':
    case 'user_id':
      if (value === `%(${kind})s`) return { kind, expected: OF_RECORD };
      if (value.includes('%(')) throw new PolicyRuleError(`${show(token)}: only %(${kind})s can be asked for here`);
      return { kind, expected: value };
    default:
      throw new PolicyRuleError(
        `${show(token)}: there is no check ${show(kind)}, only rule, role, is_admin, project_id, user_id`,
      );
  }
}

function show(text: string): string {
  return `'${text.slice(0, 100)}'`;
}

import { QinlingError } from '../errors.ts';
import { ANYBODY, NOBODY, type Access, type Identity } from './access.ts';
import { asksForUser, holds, parsePolicyRule, PolicyRuleError, referencesOf, type Rule } from './policy-rule.ts';
import { NAMED_RULES, RULES, type RuleName } from './rules.ts';

/** Who may do what. */
export interface Policy {
  /** Hot. What an operation may touch for who asks; throws NOT_ALLOWED. */
  access(identity: Identity, rule: RuleName): Access;
}

/** While authentication is off: nothing is checked. */
export const OPEN_POLICY: Policy = { access: () => ANYBODY };

/** Rules that refer to each other, one after the other. */
const MAX_CHAIN = 100;

/**
 * The rules of `rules.ts`, some of them replaced by the operator's. A rule is asked twice: for a record of the caller's
 * own project, and for one of another. The two answers are the scope of the operation, which the store's queries apply:
 *
 *   own  other   scope
 *   no   –       refused
 *   yes  no      the own project
 *   yes  yes     every project
 */
export class RulePolicy implements Policy {
  readonly #rules: ReadonlyMap<string, Rule>;
  /** Answers given before: an identity asks the same questions again and again. Null: refused. */
  readonly #known = new WeakMap<Identity, Map<RuleName, Access | null>>();

  private constructor(rules: ReadonlyMap<string, Rule>) {
    this.#rules = rules;
  }

  /**
   * `replaced`: texts by name. `faults` tells all that is wrong with them; there is a policy where it is empty.
   * `warnings`: what means less than its writer may think.
   */
  static from(replaced: Readonly<Record<string, string>> = {}): PolicyReading {
    const faults: string[] = [];
    const rules = defaultRules();
    const known = new Set(rules.keys());
    for (const [name, text] of Object.entries(replaced)) {
      if (!known.has(name) && name.includes(':')) faults.push(`${name}: there is no such operation`);
      if (name === 'public') faults.push('public: what needs no authentication cannot be changed');
      try {
        rules.set(name, parsePolicyRule(text));
      } catch (error) {
        if (!(error instanceof PolicyRuleError)) throw error;
        rules.set(name, { kind: 'never' }); // so that those who refer to it are not told of as well
        faults.push(`${name}: ${error.message}`);
      }
    }
    faults.push(...faultsOfReferences(rules, Object.keys(replaced)));
    const warnings = [...rules]
      .filter(([, rule]) => asksForUser(rule))
      .map(
        ([name]) => `${name}: records keep their project, not their user: user_id:%(user_id)s holds in all the project`,
      );
    return { policy: faults.length === 0 ? new RulePolicy(rules) : undefined, faults, warnings };
  }

  access(identity: Identity, rule: RuleName): Access {
    let answers = this.#known.get(identity);
    if (answers === undefined) this.#known.set(identity, (answers = new Map()));
    let access = answers.get(rule);
    if (access === undefined) answers.set(rule, (access = this.#decide(identity, rule)));
    if (access === null) throw new QinlingError('NOT_ALLOWED', 'Operation not allowed');
    return access;
  }

  #decide(identity: Identity, rule: RuleName): Access | null {
    if (rule === 'public') return NOBODY;
    const isAdmin = this.#holds('context_is_admin', identity, false, false);
    if (!this.#holds(rule, identity, isAdmin, true)) return null;
    const scope = this.#holds(rule, identity, isAdmin, false) ? null : identity.projectId;
    const { userId, projectId, roles } = identity;
    return Object.freeze({ userId, projectId, roles, isAdmin, scope });
  }

  #holds(start: string, identity: Identity, isAdmin: boolean, isOwn: boolean): boolean {
    const ofRecord = isOwn
      ? { project_id: identity.projectId, user_id: identity.userId }
      : { project_id: undefined, user_id: undefined };
    const question = { identity, isAdmin, ofRecord };
    const answers = new Map<string, boolean>(); // of each rule once, however often others refer to it
    const ask = (name: string): boolean => {
      let answer = answers.get(name);
      if (answer === undefined) answers.set(name, (answer = holds(this.#rules.get(name)!, question, ask)));
      return answer;
    };
    return ask(start);
  }
}

export interface PolicyReading {
  readonly policy: RulePolicy | undefined;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

const TEXT_OF = { public: '@', tenant: 'rule:default', owner: 'rule:owner', admin: 'rule:context_is_admin' } as const;

function defaultRules(): Map<string, Rule> {
  const rules = new Map<string, Rule>();
  for (const [name, text] of Object.entries(NAMED_RULES)) rules.set(name, parsePolicyRule(text));
  for (const [name, who] of Object.entries(RULES)) rules.set(name, parsePolicyRule(TEXT_OF[who]));
  return rules;
}

/** Names that do not exist, rules that lead back to themselves, and endless chains. */
function faultsOfReferences(rules: ReadonlyMap<string, Rule>, names: readonly string[]): string[] {
  const faults: string[] = [];
  /** How many rules follow each other from here on; 0 while that is being found out. */
  const lengths = new Map<string, number>();
  const follow = (name: string, path: readonly string[]): number => {
    const known = lengths.get(name);
    if (known === 0)
      faults.push(`${name}: refers to itself (${[...path.slice(path.indexOf(name)), name].join(' → ')})`);
    if (known !== undefined) return known;
    lengths.set(name, 0);
    let longest = 0;
    for (const reference of new Set(referencesOf(rules.get(name)!))) {
      if (rules.has(reference)) longest = Math.max(longest, follow(reference, [...path, name]));
      else faults.push(`${name}: there is no rule '${reference.slice(0, 100)}'`);
    }
    if (longest === MAX_CHAIN) faults.push(`${name}: leads through more than ${MAX_CHAIN} rules`);
    lengths.set(name, longest + 1);
    return longest + 1;
  };
  for (const name of names) if (rules.has(name)) follow(name, []);
  return faults;
}

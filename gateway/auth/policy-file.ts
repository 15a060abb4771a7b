import { ConfigError } from '../config/config-error.ts';
import { readDocumentFile } from '../config/document-file.ts';
import { RulePolicy } from './policy.ts';

const MAX_RULES = 1_000;

/**
 * The policy with an operator's file (YAML or JSON): rules by name. Throws ConfigError with every fault, each with the
 * name of the file.
 */
export function readPolicyFile(path: string): { policy: RulePolicy; warnings: string[] } {
  const { texts, faults } = toTexts(readDocumentFile(path) ?? {});
  const reading = RulePolicy.from(texts);
  faults.push(...reading.faults);
  const { policy } = reading;
  if (policy === undefined || faults.length > 0) {
    throw new ConfigError(faults.map((fault) => `${path}: ${fault}`).join('\n'));
  }
  return { policy, warnings: reading.warnings.map((warning) => `${path}: ${warning}`) };
}

function toTexts(document: unknown): { texts: Record<string, string>; faults: string[] } {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return { texts: {}, faults: ['must hold rules by name'] };
  }
  const entries = Object.entries(document);
  if (entries.length > MAX_RULES) return { texts: {}, faults: [`has more than ${MAX_RULES} rules`] };
  const faults = entries.filter(([, text]) => typeof text !== 'string').map(([name]) => `${name}: must be text`);
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { texts: Object.fromEntries(texts), faults };
}

import { ConfigError } from '../config/config-error.ts';
import { Guard, OPEN_GUARD } from './guard.ts';
import { readPolicyFile } from './policy-file.ts';
import { RulePolicy } from './policy.ts';
import { StaticAuthenticator } from './static/static-authenticator.ts';

export interface GuardOptions {
  readonly type: 'none' | 'static';
  readonly credentialsFile: string;
  /** Empty: none. */
  readonly policyFile: string;
}

export interface GuardLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** The guard that the configuration asks for. Throws ConfigError with every fault of every file. */
export function createGuard(options: GuardOptions, log: GuardLog): Guard {
  if (options.type === 'none') {
    if (options.policyFile !== '') log.warn('[oslo_policy] policy_file has no effect while authentication is off');
    return OPEN_GUARD;
  }
  const faults: string[] = [];
  const policy = read(() => openPolicy(options.policyFile, log), faults);
  const authenticator = read(() => new StaticAuthenticator(options.credentialsFile, log), faults);
  if (policy === undefined || authenticator === undefined) {
    authenticator?.close();
    throw new ConfigError(faults.join('\n'));
  }
  return new Guard(authenticator, policy);
}

function openPolicy(path: string, log: GuardLog): RulePolicy {
  if (path === '') return RulePolicy.from().policy!;
  const { policy, warnings } = readPolicyFile(path);
  for (const warning of warnings) log.warn(warning);
  return policy;
}

function read<T>(make: () => T, faults: string[]): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    faults.push(error.message);
    return undefined;
  }
}

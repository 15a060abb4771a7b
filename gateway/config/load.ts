import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { ConfigError } from './config-error.ts';
import { parseIni } from './ini-file.ts';
import { parseOption, type Option, type OptionValue } from './option.ts';
import { schema, withoutEffect } from './schema.ts';
import { shortcutOf } from './shortcuts.ts';

type Schema = typeof schema;
type CamelCase<Text extends string> = Text extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Text;
type GroupName<Group extends string> = Group extends 'DEFAULT' ? 'default' : CamelCase<Group>;

/** Every option's value, frozen: `config.api.port`, `config.default.dataDir`. */
export type Config = {
  readonly [Group in keyof Schema as GroupName<Group & string>]: {
    readonly [Name in keyof Schema[Group] as CamelCase<Name & string>]: Schema[Group][Name] extends Option
      ? OptionValue<Schema[Group][Name]>
      : never;
  };
};

export interface ConfigSources {
  readonly configFile: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `group.name` to text, as given on the command line. */
  readonly overrides: ReadonlyMap<string, string>;
}

interface Given {
  readonly text: string;
  /** The file and line, the variable or the word of the command line. */
  readonly source: string;
}

/** What has been read so far; the keys are `group.name`. */
interface Reading {
  readonly given: Map<string, Given>;
  readonly faults: string[];
  readonly warnings: string[];
}

type Values = Record<string, Record<string, unknown>>;

const groups: Readonly<Record<string, Readonly<Record<string, Option>>>> = schema;

/**
 * Reads the command line before the environment (QINLING_<GROUP>_<OPTION>) before the file (INI) before the defaults.
 * Throws ConfigError with every fault. `warnings`: options of the Python Qinling that do nothing here.
 */
export function loadConfig(sources: ConfigSources): { config: Config; warnings: string[] } {
  const reading: Reading = { given: new Map(), faults: [], warnings: [] };
  if (sources.configFile !== undefined) readFile(sources.configFile, reading);
  readEnvironment(sources.environment, reading);
  for (const [key, text] of sources.overrides) reading.given.set(key, { text, source: shortcutOf(key) });
  const values = parseAll(reading);
  reading.warnings.push(...withoutForeignDatabase(values));
  reading.faults.push(...faultsTogether(values, reading.given));
  if (reading.faults.length > 0) throw new ConfigError(reading.faults.join('\n'));
  fillDefaults(values, sources.environment);
  return { config: toConfig(values), warnings: reading.warnings };
}

/** The environment variable that overrides an option. */
export function variableOf(group: string, name: string): string {
  return `QINLING_${group}_${name}`.toUpperCase();
}

function readFile(path: string, { given, faults, warnings }: Reading): void {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return;
  }
  const file = parseIni(content);
  for (const { line, message } of file.faults) faults.push(`${path}:${line}: ${message}`);
  for (const group of file.groups) {
    if (!isGroup(group.name) && !Object.hasOwn(withoutEffect, group.name)) {
      faults.push(`${path}:${group.line}: [${group.name}] is not a group of options`);
      continue;
    }
    for (const { name, text, line } of group.entries) {
      const source = `${path}:${line}: [${group.name}] ${name}`;
      const key = `${group.name}.${name}`;
      if (isOption(group.name, name)) {
        if (given.has(key)) warnings.push(`${source} replaces the value given before`);
        given.set(key, { text, source });
      } else if (hasNoEffect(group.name, name)) warnings.push(`${source} has no effect`);
      else faults.push(`${source} is not an option`);
    }
  }
}

/**
 * Variables that begin like ours: the agent's own, and those that Kubernetes sets in every pod for a service called
 * qinling.
 */
const OTHERS_VARIABLE = /^QINLING_(AGENT_|SERVICE_(HOST|PORT)|PORT$|PORT_\d+_)/;

function readEnvironment(environment: ConfigSources['environment'], { given, faults, warnings }: Reading): void {
  const known = new Map<string, string>();
  for (const [group, options] of Object.entries(groups)) {
    for (const name of Object.keys(options)) known.set(variableOf(group, name), `${group}.${name}`);
  }
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('QINLING_') || text === undefined || OTHERS_VARIABLE.test(variable)) continue;
    const key = known.get(variable);
    if (key !== undefined) given.set(key, { text, source: variable });
    else if (variable === 'QINLING_URL') warnings.push(`${variable} is for clients and has no effect here`);
    else if (isVariableWithoutEffect(variable)) warnings.push(`${variable} has no effect`);
    else faults.push(`${variable} is not an option`);
  }
}

function isGroup(group: string): boolean {
  return Object.hasOwn(groups, group);
}

function isOption(group: string, name: string): boolean {
  return isGroup(group) && Object.hasOwn(groups[group]!, name);
}

function hasNoEffect(group: string, name: string): boolean {
  const names = Object.hasOwn(withoutEffect, group) ? withoutEffect[group] : undefined;
  return names === '*' || names?.includes(name) === true;
}

function isVariableWithoutEffect(variable: string): boolean {
  return Object.entries(withoutEffect).some(([group, names]) =>
    names === '*'
      ? variable.startsWith(variableOf(group, ''))
      : names.some((name) => variable === variableOf(group, name)),
  );
}

function parseAll({ given, faults }: Reading): Values {
  const values: Values = {};
  for (const [group, options] of Object.entries(groups)) {
    const parsed: Record<string, unknown> = {};
    values[group] = parsed;
    for (const [name, option] of Object.entries(options)) {
      const found = given.get(`${group}.${name}`);
      parsed[name] = option.default;
      if (found === undefined) continue;
      try {
        parsed[name] = parseOption(option, found.text.trim());
      } catch (error) {
        parsed[name] = undefined; // so that no fault follows from the default
        const shown = option.type === 'text' ? '' : `'${found.text}' `; // a text may be a secret
        faults.push(`${found.source}: ${shown}${(error as Error).message}`);
      }
    }
  }
  return values;
}

const SQLITE = 'sqlite://';

/** A database of the Python Qinling is not ours: it is left alone, with a warning, so that its files go on working. */
function withoutForeignDatabase(values: Values): string[] {
  const database = values['database']!;
  const connection = database['connection'] as string;
  if (connection === '' || connection.startsWith(SQLITE)) return [];
  database['connection'] = '';
  return ['[database] connection: only sqlite:////absolute/path is known here; what is given has no effect'];
}

/** Faults of values that are each right for themselves; those that are not are undefined. */
function faultsTogether(values: Values, given: Reading['given']): string[] {
  const faults: string[] = [];
  const limits = values['resource_limits'] as Record<string, number>;
  for (const what of ['cpu', 'memory', 'timeout']) {
    const [least, most, usual] = [limits[`min_${what}`]!, limits[`max_${what}`]!, limits[`default_${what}`]!];
    if (least > most) faults.push(`[resource_limits] min_${what} is above max_${what}`);
    else if (usual < least || usual > most) {
      faults.push(`[resource_limits] default_${what} is not between min_${what} and max_${what}`);
    }
  }
  const endpoint = values['DEFAULT']!['qinling_endpoint'] as string;
  if (endpoint !== '' && !isEndpoint(endpoint)) {
    faults.push(
      '[DEFAULT] qinling_endpoint must be a URL such as https://functions.example.org, without /v1 at its end',
    );
  }
  const connection = values['database']!['connection'] as string;
  if (connection !== '' && !isAbsolute(databasePath(connection))) {
    faults.push('[database] connection needs an absolute path: sqlite:////var/lib/qinling/qinling.sqlite');
  }
  faults.push(...faultsOfAuthentication(values, given));
  // Not to be ignored: whoever sets it counts on what it promises.
  if (values['api']!['enable_ssl_api'] === true) {
    faults.push('[api] enable_ssl_api: TLS is not available yet (put a proxy that speaks it in front)');
  }
  return faults;
}

/** SQLAlchemy's notation: what follows sqlite:/// is the path. */
export function databasePath(connection: string): string {
  return connection.slice(`${SQLITE}/`.length);
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username } = new URL(text);
  const isBare = search === '' && hash === '' && username === '' && !/\/v1\/*$/.test(pathname);
  return isBare && (protocol === 'http:' || protocol === 'https:');
}

/** Nobody may find the service open who thought that it was not. */
function faultsOfAuthentication(values: Values, given: Reading['given']): string[] {
  const { type, credentials_file: file } = values['auth'] as { type: string | undefined; credentials_file: string };
  if (type === undefined) return [];
  const isOn = values['pecan']!['auth_enable'] === true;
  const isOff = values['pecan']!['auth_enable'] === false && given.has('pecan.auth_enable');
  if (type === 'none') {
    if (isOn) return ['[pecan] auth_enable needs an authenticator: [auth] type = static'];
    return file === '' ? [] : ['[auth] credentials_file needs [auth] type = static'];
  }
  if (isOff) return [`[pecan] auth_enable is false, but [auth] type is ${type}: leave one of them out`];
  return file === '' ? [`[auth] type = ${type} needs a credentials_file`] : [];
}

/** Values that follow from others, and paths: relative ones are meant from the current directory. An empty one stays empty. */
function fillDefaults(values: Values, environment: ConfigSources['environment']): void {
  const xdg = environment['XDG_DATA_HOME'];
  const dataHome = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.local', 'share');
  const fill = (group: string, name: string, byDefault: string): string => {
    const given = values[group]![name] as string;
    const path = given === '' ? byDefault : resolve(given);
    values[group]![name] = path;
    return path;
  };
  const dataDir = fill('DEFAULT', 'data_dir', join(dataHome, 'qinling'));
  fill('storage', 'file_system_dir', join(dataDir, 'packages'));
  fill('local', 'runtimes_dir', '');
  fill('local', 'work_dir', '');
  fill('auth', 'credentials_file', '');
  fill('oslo_policy', 'policy_file', '');
  const general = values['DEFAULT']!;
  general['qinling_endpoint'] = (general['qinling_endpoint'] as string).replace(/\/+$/, '');
  const { host } = values['api'] as { host: string };
  const isOpen = values['auth']!['type'] === 'none';
  values['api']!['host'] = host !== '' ? host : isOpen ? '127.0.0.1' : '0.0.0.0';
  values['local']!['search_path'] = Object.freeze(
    (values['local']!['search_path'] as readonly string[]).map((path) => resolve(path)),
  );
}

function toConfig(values: Values): Config {
  const entries = Object.entries(values).map(([group, options]) => {
    const renamed = Object.entries(options).map(([name, value]) => [camelCase(name), value]);
    return [group === 'DEFAULT' ? 'default' : camelCase(group), Object.freeze(Object.fromEntries(renamed))];
  });
  return Object.freeze(Object.fromEntries(entries)) as Config;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

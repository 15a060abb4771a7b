import { parse } from 'ini';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseOption, type Option, type OptionValue } from './option.ts';
import { schema, withoutEffect } from './schema.ts';

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

/** All that is wrong with a configuration, one fault a line. */
export class ConfigError extends Error {}

export interface ConfigSources {
  readonly configFile: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `group.name` to text, as given on the command line; before the others. */
  readonly overrides: ReadonlyMap<string, string>;
}

type Texts = Map<string, { readonly text: string; readonly source: string }>;
const groups: Readonly<Record<string, Readonly<Record<string, Option>>>> = schema;

/**
 * Reads the file (INI), the environment (QINLING_<GROUP>_<OPTION>) and the command line, each before the one named
 * first. Throws ConfigError with every fault. `warnings`: options of the original that do nothing here.
 */
export function loadConfig(sources: ConfigSources): { config: Config; warnings: string[] } {
  const faults: string[] = [];
  const warnings: string[] = [];
  const texts: Texts = new Map();
  if (sources.configFile !== undefined) readFile(sources.configFile, texts, faults, warnings);
  readEnvironment(sources.environment, texts, faults, warnings);
  for (const [key, text] of sources.overrides) texts.set(key, { text, source: `--${key}` });
  const values = parseAll(texts, faults);
  if (faults.length === 0) checkTogether(values, faults);
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return { config: toConfig(fillPaths(values, sources.environment)), warnings };
}

/** The environment variable that overrides an option. */
export function variableOf(group: string, name: string): string {
  return `QINLING_${group}_${name}`.toUpperCase();
}

function readFile(path: string, texts: Texts, faults: string[], warnings: string[]): void {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return;
  }
  const top = parse(content) as Record<string, unknown>;
  for (const [group, options] of Object.entries(top)) {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      take('DEFAULT', group, options); // before the first [group]
      continue;
    }
    for (const [name, value] of Object.entries(options)) take(group, name, value);
  }
  function take(group: string, name: string, value: unknown): void {
    const place = `${path}: [${group}] ${name}`;
    if (groups[group]?.[name] !== undefined) texts.set(`${group}.${name}`, { text: String(value), source: place });
    else if (hasNoEffect(group, name)) warnings.push(`${place} has no effect`);
    else faults.push(`${place} is not an option`);
  }
}

function readEnvironment(environment: ConfigSources['environment'], texts: Texts, faults: string[], warnings: string[]): void {
  const known = new Map<string, string>();
  for (const [group, options] of Object.entries(groups)) {
    for (const name of Object.keys(options)) known.set(variableOf(group, name), `${group}.${name}`);
  }
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('QINLING_') || text === undefined || IGNORED_VARIABLE.test(variable)) continue;
    const key = known.get(variable);
    if (key !== undefined) texts.set(key, { text, source: variable });
    else if (variable === 'QINLING_URL') warnings.push(`${variable} is for clients and has no effect here`);
    else faults.push(`${variable} is not an option`);
  }
}

/** Variables of the agent. */
const IGNORED_VARIABLE = /^QINLING_AGENT_/;

function hasNoEffect(group: string, name: string): boolean {
  const names = Object.hasOwn(withoutEffect, group) ? withoutEffect[group] : undefined;
  return names === '*' || names?.includes(name) === true;
}

type Values = Record<string, Record<string, unknown>>;

function parseAll(texts: Texts, faults: string[]): Values {
  const values: Values = {};
  for (const [group, options] of Object.entries(groups)) {
    values[group] = {};
    for (const [name, option] of Object.entries(options)) {
      const given = texts.get(`${group}.${name}`);
      try {
        values[group]![name] = given === undefined ? option.default : parseOption(option, given.text.trim());
      } catch (error) {
        faults.push(`${given!.source}: '${given!.text}' ${(error as Error).message}`);
      }
    }
  }
  return values;
}

function checkTogether(values: Values, faults: string[]): void {
  const limits = values['resource_limits'] as Record<string, number>;
  for (const what of ['cpu', 'memory', 'timeout']) {
    const [least, most, usual] = [limits[`min_${what}`]!, limits[`max_${what}`]!, limits[`default_${what}`]!];
    if (least > most) faults.push(`[resource_limits] min_${what} is above max_${what}`);
    else if (usual < least || usual > most) faults.push(`[resource_limits] default_${what} is not from min_ to max_${what}`);
  }
  if (values['pecan']!['auth_enable'] === true) faults.push('[pecan] auth_enable: authentication is not available yet');
}

/** Paths that follow from others, and relative ones from the current directory. */
function fillPaths(values: Values, environment: ConfigSources['environment']): Values {
  const base = environment['XDG_DATA_HOME'];
  const dataHome = base !== undefined && isAbsolute(base) ? base : join(homedir(), '.local', 'share');
  const place = (group: string, name: string, byDefault: string) => {
    const given = values[group]![name] as string;
    values[group]![name] = given === '' ? byDefault : resolve(given);
  };
  place('DEFAULT', 'data_dir', join(dataHome, 'qinling'));
  place('storage', 'file_system_dir', join(values['DEFAULT']!['data_dir'] as string, 'packages'));
  return values;
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

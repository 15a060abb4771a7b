import { variableOf } from './load.ts';
import type { Option } from './option.ts';
import { schema } from './schema.ts';

const HEAD = `# Every option of the Qinling gateway with its default. Made from the program (--print-config-sample).
# Use it with --config-file FILE; an environment variable (named with each option) goes before the file.
`;

/** A configuration file with every option, its help, range and default, all commented out. */
export function renderSample(): string {
  const groups = Object.entries(schema as Readonly<Record<string, Readonly<Record<string, Option>>>>);
  return HEAD + groups.map(([group, options]) => renderGroup(group, options)).join('');
}

function renderGroup(group: string, options: Readonly<Record<string, Option>>): string {
  const lines = Object.entries(options).map(([name, option]) => renderOption(group, name, option));
  return `\n[${group}]\n${lines.join('')}`;
}

function renderOption(group: string, name: string, option: Option): string {
  const value = Array.isArray(option.default) ? option.default.join(', ') : String(option.default);
  return (
    `\n# ${option.help}\n# ${describeRange(option)}. ${variableOf(group, name)}\n# ${name} = ${value}`.trimEnd() + '\n'
  );
}

function describeRange(option: Option): string {
  switch (option.type) {
    case 'integer':
      return `Whole number from ${option.min} to ${option.max}`;
    case 'choice':
      return `One of ${option.choices.join(', ')}`;
    case 'boolean':
      return 'true or false';
    case 'list':
      return 'List';
    case 'text':
      return 'Text';
  }
}

/** What one option of the configuration is. */
interface OptionBase {
  /** For the sample file and `--help`: what it does, units, what leaving it out means. */
  readonly help: string;
}

export interface IntegerOption extends OptionBase {
  readonly type: 'integer';
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

export interface TextOption extends OptionBase {
  readonly type: 'text';
  readonly default: string;
}

export interface BooleanOption extends OptionBase {
  readonly type: 'boolean';
  readonly default: boolean;
}

export interface ChoiceOption extends OptionBase {
  readonly type: 'choice';
  readonly default: string;
  readonly choices: readonly string[];
}

export interface ListOption extends OptionBase {
  readonly type: 'list';
  readonly default: readonly string[];
}

export type Option = IntegerOption | TextOption | BooleanOption | ChoiceOption | ListOption;

/** The value that an option's text becomes. */
export type OptionValue<O extends Option> = O extends IntegerOption
  ? number
  : O extends BooleanOption
    ? boolean
    : O extends ListOption
      ? readonly string[]
      : O extends ChoiceOption
        ? O['choices'][number]
        : string;

const TRUE = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE = new Set(['false', 'f', 'no', 'n', 'off', '0']);

/** The option's value of a text; throws an Error whose message says what is wrong with it. */
export function parseOption(option: Option, text: string): number | string | boolean | readonly string[] {
  switch (option.type) {
    case 'integer':
      return parseInteger(option, text);
    case 'boolean':
      if (TRUE.has(text.toLowerCase())) return true;
      if (FALSE.has(text.toLowerCase())) return false;
      throw new Error('must be true or false');
    case 'choice':
      if (option.choices.includes(text)) return text;
      throw new Error(`must be one of ${option.choices.join(', ')}`);
    case 'list':
      return Object.freeze(
        text
          .split(',')
          .map((item) => item.trim())
          .filter(Boolean),
      );
    case 'text':
      return text;
  }
}

function parseInteger({ min, max }: IntegerOption, text: string): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Error('must be a whole number');
  if (value < min || value > max) throw new Error(`must be from ${min} to ${max}`);
  return value;
}

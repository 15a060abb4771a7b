import { parseArgs } from 'node:util';
import { shortcuts, type Shortcut } from './config/shortcuts.ts';

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'serve'; readonly configFile: string | undefined; readonly overrides: ReadonlyMap<string, string> }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'printConfigSample' }
  | { readonly kind: 'hashPassword' }
  | { readonly kind: 'newToken' };

/** A command line that cannot be understood: the message is one line for its writer, the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const HELP = `Usage: qinling [options]
       qinling hash-password | new-token

Runs the Qinling gateway: Functions as a Service with a REST API on port 7070.

  --config-file FILE      read options from FILE (INI)
  --host ADDRESS          listen on ADDRESS           ([api] host)
  --port PORT             listen on PORT, 0 for any   ([api] port)
  --data-dir DIRECTORY    keep everything below it    ([DEFAULT] data_dir)
  --print-config-sample   print every option with its help and default
  --version               print the version
  --help                  print this

For the file of [auth] credentials_file (docs/authentication.md):

  hash-password           read a password from standard input, print its hash
  new-token               print a new token, and its hash

An option is taken from the command line, else from the environment (QINLING_<GROUP>_<OPTION>, as in
QINLING_API_PORT=8080), else from the file, else its default.
`;

const OPTIONS = {
  'config-file': { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  'data-dir': { type: 'string' },
  'print-config-sample': { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const WORDS: Readonly<Record<string, Command>> = {
  'hash-password': { kind: 'hashPassword' },
  'new-token': { kind: 'newToken' },
};

/** Reads the arguments (without program and script); throws UsageError. */
export function parseCommandLine(args: readonly string[]): Command {
  const [word] = args;
  if (args.length === 1 && word !== undefined && Object.hasOwn(WORDS, word)) return WORDS[word]!;
  const values = readArguments(args);
  if (values.help === true) return { kind: 'help' };
  if (values.version === true) return { kind: 'version' };
  if (values['print-config-sample'] === true) return { kind: 'printConfigSample' };
  const overrides = new Map<string, string>();
  for (const word of Object.keys(shortcuts) as Shortcut[]) {
    const text = values[word];
    if (text !== undefined) overrides.set(shortcuts[word], text);
  }
  return { kind: 'serve', configFile: values['config-file'], overrides };
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false, strict: true }).values;
  } catch (cause) {
    const [sentence] = (cause as Error).message.split(/\. |\n/);
    throw new UsageError(`${sentence} (--help tells the options)`, { cause });
  }
}

import { execFile } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync, readSync, readdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const PROBE_MS = 10_000;
const SYSTEM_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin'];
/** Where version managers keep the real programs behind their shims, which start slowly. */
const MANAGER_FOLDERS = [
  ['.pyenv', 'versions', 'bin'],
  ['.rbenv', 'versions', 'bin'],
  ['.nvm', 'versions/node', 'bin'],
] as const;

/** What `runtimes/<language>/runtime.json` says; `runtimes/README.md` tells the keys. */
export interface RuntimeDefinition {
  readonly name: string;
  readonly description: string;
  readonly commands: readonly string[];
  readonly probe: readonly string[];
  readonly accept: string;
  readonly run: readonly string[];
  readonly host: string;
  readonly images: readonly string[];
}

/** A runtime whose interpreter is on this machine. */
export interface RuntimeOnMachine {
  readonly definition: RuntimeDefinition;
  /** Real path of the interpreter. */
  readonly interpreter: string;
  readonly version: string;
  /** Path of the language host. */
  readonly hostFile: string;
}

/** A runtime that can be started: the command of its language host's parent. */
export interface FoundRuntime {
  readonly name: string;
  readonly version: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** The definitions of a folder of runtimes, by name. Throws where one is not readable. */
export function readDefinitions(directory: string): { definition: RuntimeDefinition; folder: string }[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(directory, entry.name))
    .sort()
    .map((folder) => ({ folder, definition: readDefinition(join(folder, 'runtime.json')) }));
}

function readDefinition(path: string): RuntimeDefinition {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RuntimeDefinition;
  } catch (cause) {
    throw new Error(`${path} is not readable: ${(cause as Error).message}`, { cause });
  }
}

/** Looks for the interpreter of each runtime; those without one are left out. `searchPath` goes before PATH. */
export async function findRuntimes(directory: string, searchPath: readonly string[]): Promise<RuntimeOnMachine[]> {
  const folders = [
    ...searchPath,
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...SYSTEM_FOLDERS,
    ...managerFolders(),
  ];
  const found = await Promise.all(
    readDefinitions(directory).map(async ({ definition, folder }) => {
      const hit = await findInterpreter(definition, folders);
      return hit && { definition, ...hit, hostFile: resolve(folder, definition.host) };
    }),
  );
  return found.filter((runtime) => runtime !== undefined);
}

async function findInterpreter(definition: RuntimeDefinition, folders: readonly string[]) {
  const tried = new Set<string>();
  for (const command of definition.commands) {
    for (const folder of folders) {
      const interpreter = realProgram(join(folder, command));
      if (interpreter === undefined || tried.has(interpreter)) continue;
      tried.add(interpreter);
      const version = await probe(interpreter, definition);
      if (version !== undefined) return { interpreter, version };
    }
  }
  return undefined;
}

/** The real path of a program that is no script: shims of version managers are scripts. */
function realProgram(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    accessSync(real, constants.X_OK);
    const file = openSync(real, 'r');
    const head = Buffer.alloc(2);
    readSync(file, head, 0, 2, 0);
    closeSync(file);
    return head.toString('latin1') === '#!' ? undefined : real;
  } catch {
    return undefined;
  }
}

async function probe(interpreter: string, definition: RuntimeDefinition): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(interpreter, [...definition.probe], { timeout: PROBE_MS });
    const version = `${stdout}${stderr}`.trim();
    return new RegExp(definition.accept).test(version) ? version : undefined;
  } catch {
    return undefined;
  }
}

function managerFolders(): string[] {
  return MANAGER_FOLDERS.flatMap(([manager, versions, programs]) => {
    const folder = join(homedir(), manager, versions);
    try {
      const newestFirst = readdirSync(folder).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
      return newestFirst.map((version) => join(folder, version, programs));
    } catch {
      return [];
    }
  });
}

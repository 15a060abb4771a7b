import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDefinitions, type RuntimeDefinition } from './runtime-catalog.ts';

/** Where other languages live beside the one that the image is about, the more common ones come last. */
const TRIED_LAST = ['python3', 'python2'];

/**
 * Puts the language hosts into a folder that another container sees at the same path, with the script that starts the
 * one whose interpreter is there: `/bin/sh FOLDER/start-host [RUNTIME ...]`. Called as a program with the folder.
 */
export function installHosts(runtimesDirectory: string, folder: string): void {
  const found = readDefinitions(runtimesDirectory).map(({ definition, folder: source }) => {
    const target = join(folder, 'hosts', definition.name);
    mkdirSync(target, { recursive: true, mode: 0o755 });
    const hostFile = join(target, basename(definition.host));
    copyFileSync(resolve(source, definition.host), hostFile);
    return { definition, hostFile };
  });
  const rank = ({ definition }: (typeof found)[number]) => TRIED_LAST.indexOf(definition.name);
  found.sort((a, b) => rank(a) - rank(b));
  writeFileSync(join(folder, 'start-host'), startScript(found), { mode: 0o755 });
}

/** In the plainest shell: it runs in images that we do not know. */
function startScript(hosts: readonly { definition: RuntimeDefinition; hostFile: string }[]): string {
  const cases = hosts.map(({ definition, hostFile }) => {
    const { name, commands, probe, accept, run } = definition;
    const args = run.map((argument) => quote(argument.replaceAll('{host}', hostFile)));
    const tries = commands.map(
      (command) => `try ${quote(accept)} ${command} ${probe.map(quote).join(' ')} && exec ${command} ${args.join(' ')}`,
    );
    return `    ${name})\n${tries.map((line) => `      ${line}\n`).join('')}      ;;\n`;
  });
  const names = hosts.map(({ definition }) => definition.name).join(' ');
  return `#!/bin/sh
# Starts the language host of the first runtime whose interpreter this image has: of those that are named first, then of
# all the others.

# try PATTERN COMMAND ARGUMENT...: true where the command is there, and the version that it prints is as it should be
try() {
  pattern=$1
  shift
  command -v "$1" > /dev/null 2>&1 || return 1
  version=$("$@" 2>&1) || return 1
  command -v grep > /dev/null 2>&1 || return 0
  printf '%s\\n' "$version" | grep -Eq "$pattern"
}

start() {
  case $1 in
${cases.join('')}  esac
}

until [ -S "$QINLING_SOCKET" ]; do sleep 0.1; done
for name in "$@" ${names}; do start "$name"; done
echo 'this image has no interpreter of any runtime: ${names}' >&2
exit 1
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('the folder is missing');
  process.umask(0o022);
  installHosts(fileURLToPath(new URL('../../runtimes', import.meta.url)), folder);
}
